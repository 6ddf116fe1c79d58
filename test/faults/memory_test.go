package faults

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/exameter/exameter/collector/history"
	"github.com/exameter/exameter/test/process"
)

// What a collector may hold, as docs/hardware-faults.md states it. The heap is what is in use after a collection of garbage.
const (
	base       = 10 << 20            // the program and the catalogue
	kept       = 2 << 20             // answers that are kept of one revision: as many as are asked for here; never more than 32 MiB
	perDevice  = 320                 // an accelerator's or processor set's share of the fleet, of the claims, and of the sums
	perHost    = 1500                // names, and what the host told of itself
	perPart    = 96 << 10            // a session with a broker, its buffers, the part's sums
	perWatcher = 48 << 10            // connection, buffers, stack
	perScope   = history.SizeOfScope // a day of figures: of the province, and of each centre
	resident   = 24 << 20            // what is resident beside the heap: the program's own pages, and those that the system has not taken back
)

// TestMemory holds what a collector keeps against the formula, at two sizes and with watchers. The heap is taken at its least, right after a
// collection; resident is up to twice that, with garbage, and what is not of the heap.
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
			heap := int64(base + kept + perDevice*w.province.Devices() + perHost*all + perPart*parts + perScope*(len(w.province.Centres())+1) + perWatcher*c.watchers)
			whole := resident + 2*heap
			const mib = 1 << 20
			t.Logf("%d hosts, %d devices, %d parts, %d watchers: heap %.1f MiB, may be %.1f; resident %.1f MiB, may be %.1f", all, w.province.Devices(), parts,
				c.watchers, float64(least)/mib, float64(heap)/mib, float64(most)/mib, float64(whole)/mib)
			if parts == 0 || least > heap {
				t.Errorf("the heap holds %d bytes, want at most %d, of %d parts", least, heap, parts)
			}
			if most > whole {
				t.Errorf("resident are %d bytes, want at most %d", most, whole)
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
