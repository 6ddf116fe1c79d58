package faults

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/exameter/exameter/test/process"
)

// What a collector may hold, as docs/hardware-faults.md states it.
const (
	base       = 24 << 20
	perDevice  = 320       // an accelerator's or processor set's share of the fleet, of the claims, and of the sums
	perHost    = 1500      // names and what the host told of itself
	perPart    = 160 << 10 // a session with a broker, its buffers, the part's sums
	perWatcher = 48 << 10
	perKept    = 2 << 20 // answers of one revision that are kept, for as many different ones as the test asks; 32 MiB at most
)

// TestMemory holds what a collector keeps against the formula, at two sizes and with watchers. What is measured is the least that its heap
// comes to between collections of garbage; resident is that with garbage, which may come to half as much, and what the system gives by and by.
func TestMemory(t *testing.T) {
	for _, c := range []struct{ hosts, watchers int }{{300, 0}, {3000, 0}, {300, 400}} {
		t.Run(fmt.Sprintf("%d hosts, %d watchers", c.hosts, c.watchers), func(t *testing.T) {
			w := newWorld(t, c.hosts)
			w.watch(c.watchers)
			least, most := int64(1<<62), int64(0)
			for began := time.Now(); time.Since(began) < 15*time.Second; time.Sleep(100 * time.Millisecond) {
				least = min(least, int64(w.metrics()["go_memstats_heap_alloc_bytes"]))
				most = max(most, process.Resident(w.collector.PID()))
			}
			all, _ := w.province.Hosts()
			parts := int(w.metrics()[`exameter_parts_owned`])
			may := int64(base + perKept + perDevice*w.province.Devices() + perHost*all + perPart*parts + perWatcher*c.watchers)
			t.Logf("%d hosts, %d devices, %d parts, %d watchers: heap %.1f MiB, may be %.1f; resident %.1f MiB", all, w.province.Devices(), parts, c.watchers,
				float64(least)/(1<<20), float64(may)/(1<<20), float64(most)/(1<<20))
			if least > may {
				t.Errorf("the heap holds %d bytes, want at most %d", least, may)
			}
			if most > may*5/2 {
				t.Errorf("resident are %d bytes, want at most two and a half times %d", most, may)
			}
		})
	}
}

// watch opens streams, and returns once each has had its first event.
func (w *world) watch(n int) {
	w.Helper()
	ctx, stop := context.WithCancel(context.Background())
	w.Cleanup(stop)
	var begun atomic.Int64
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range n {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.addr+"/v1/stream?by=pool", nil)
		if err != nil {
			w.Fatal(err)
		}
		go func() {
			resp, err := client.Do(req)
			if err != nil {
				return // the count below tells
			}
			defer resp.Body.Close()
			if _, err := resp.Body.Read(make([]byte, 1)); err == nil {
				begun.Add(1)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
		}()
	}
	w.eventually(soon, func() error {
		if have := begun.Load(); have != int64(n) {
			return fmt.Errorf("%d of %d watchers have had an event", have, n)
		}
		return nil
	})
}
