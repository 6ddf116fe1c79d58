package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/exameter/exameter/test/process"
)

// figures are what is watched of a process, with how much of it is no growth: what a garbage collector lets lie, and callers that come and go.
var figures = []struct {
	name   string
	unit   float64
	metric string // of the collector; read from /proc where empty
	least  float64
}{
	{"resident memory, MiB", 1 << 20, "", 2 << 20},
	{"heap, MiB", 1 << 20, "go_memstats_heap_inuse_bytes", 4 << 20},
	{"goroutines", 1, "go_goroutines", 8},
	{"threads", 1, "", 3},
	{"open files", 1, "", 8},
}

// growth is the part of a figure by which it may grow within half a soak.
const growth = 0.04

// watched is a process with what was seen of it.
type watched struct {
	name    string
	process *process.Process
	metrics string // where it tells about itself; empty: nowhere
	at      []time.Duration
	values  [][]float64 // by figure; those that it does not tell are empty
}

func (w *watched) sample(ctx context.Context, at time.Duration) error {
	if w.values == nil {
		w.values = make([][]float64, len(figures))
	}
	if !w.process.Running() {
		return errors.New("has ended")
	}
	var told map[string]float64
	if w.metrics != "" {
		var err error
		if told, err = metrics(ctx, w.metrics); err != nil {
			if at < time.Minute {
				return nil // it is not ready yet
			}
			return err
		}
	}
	pid := w.process.PID()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return err
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	own := map[string]float64{"resident memory, MiB": float64(process.Resident(pid)), "threads": float64(len(threads)), "open files": float64(len(files))}
	w.at = append(w.at, at)
	for i, f := range figures {
		v, ok := own[f.name]
		if f.metric != "" {
			v, ok = told[f.metric]
		}
		if ok {
			w.values[i] = append(w.values[i], v)
		}
	}
	return nil
}

// verdict says how every figure went, and returns an error for each that grew over the second half.
func (w *watched) verdict(out io.Writer) (wrong error) {
	for i, f := range figures {
		v := w.values[i]
		if len(v) == 0 {
			continue
		}
		if len(v) < 20 {
			return fmt.Errorf("%s: %d samples: too few to judge by", w.name, len(v))
		}
		half := len(v) / 2
		at, second := w.at[len(w.at)-len(v)+half:], v[half:]
		grew := slope(at, second) * (at[len(at)-1] - at[0]).Seconds()
		may := max(f.least, growth*median(second))
		fmt.Fprintf(out, "%-10s %-22s first %8.1f, middle %8.1f, last %8.1f, most %8.1f; second half %+.2f, may be %+.2f\n", w.name, f.name,
			v[0]/f.unit, median(v)/f.unit, v[len(v)-1]/f.unit, slices.Max(v)/f.unit, grew/f.unit, may/f.unit)
		if grew > may {
			wrong = errors.Join(wrong, fmt.Errorf("%s: %s grows: by %.2f over the second half, where %.2f is allowed", w.name, f.name, grew/f.unit, may/f.unit))
		}
	}
	return wrong
}

// slope is the median of the slopes between all pairs, a second: single peaks do not move it (Theil and Sen).
func slope(at []time.Duration, v []float64) float64 {
	var all []float64
	for i := range v {
		for j := i + 1; j < len(v); j++ {
			if d := (at[j] - at[i]).Seconds(); d > 0 {
				all = append(all, (v[j]-v[i])/d)
			}
		}
	}
	return median(all)
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// metrics reads what a collector tells Prometheus, of series without labels.
func metrics(ctx context.Context, url string) (map[string]float64, error) {
	body, err := get(ctx, url)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = v
		}
	}
	return out, nil
}

func get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, resp.Status)
	}
	return body, err
}

// asked counts what callers got.
type asked struct{ answers, streams atomic.Int64 }

// run asks ten times a second, of everything in turn. That an answer fails is told by what is watched, not here.
func (a *asked) run(ctx context.Context, addr string) error {
	paths := []string{"/v1/capacity", "/v1/capacity?by=pool", "/v1/capacity?by=model&kind=all", "/v1/hosts?limit=50", "/v1/pools", "/v1/history", "/v1/match?eflops=0.1", "/metrics"}
	for n := 0; sleep(ctx, 100*time.Millisecond); n++ {
		path := paths[n%len(paths)]
		if n%50 == 0 {
			path = fmt.Sprintf("/v1/hosts?limit=%d", n) // no two questions alike
		}
		if _, err := get(ctx, "http://"+addr+path); err == nil {
			a.answers.Add(1)
		}
	}
	return nil
}

// watch holds streams for five seconds each, one after the other.
func (a *asked) watch(ctx context.Context, addr string) error {
	for sleep(ctx, 100*time.Millisecond) {
		func() {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/v1/stream?by=pool", nil)
			if err != nil {
				return
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return
			}
			defer resp.Body.Close()
			_, _ = io.Copy(io.Discard, resp.Body) // until the time is over
			a.streams.Add(1)
		}()
	}
	return nil
}
