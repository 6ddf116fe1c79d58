package process

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// FreeAddr returns an address as FreeAddrs does.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	addrs, err := FreeAddrs(1)
	if err != nil {
		tb.Fatal(err)
	}
	return addrs[0]
}

// FreeAddrs returns addresses of this host where nothing listens at the moment, for programs that are told where to listen. Their ports lie
// below those that the system gives out by itself (32768 and up), so that no connection and no other test's listener takes them before the
// programs do, or while they are down.
func FreeAddrs(n int) ([]string, error) {
	addrs := make([]string, 0, n)
	for tries := 0; len(addrs) < n; tries++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)))
		if err != nil {
			if tries > 100*n {
				return nil, fmt.Errorf("find a free port: %w", err)
			}
			continue
		}
		defer l.Close() // all of them are held until all are found, so that they differ
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}
