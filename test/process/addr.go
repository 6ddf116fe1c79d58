package process

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// FreeAddr returns an address of this host where nothing listens at the moment, for a program that is told where to listen. Its port lies
// below those that the system gives out by itself (32768 and up), so that no connection and no other test's listener takes it before the
// program does.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000))); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	tb.Fatal(err)
	return ""
}
