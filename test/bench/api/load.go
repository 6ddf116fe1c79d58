package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/exameter/exameter/collector/capacity"
)

// question is one sort of request.
type question struct {
	name  string
	share int // in a hundred
	draw  func(*rand.Rand, []string) string
}

// questions are what dispatchers, schedulers and consoles ask. Nearly every match is another one; the others repeat.
var questions = []question{
	{"match", 50, func(rnd *rand.Rand, centres []string) string {
		perHost := []int{1, 2, 4, 8, 8, 8, 16}[rnd.IntN(7)]
		q := url.Values{
			"count": {fmt.Sprint(perHost * (1 + rnd.IntN(2000)))}, "per_host": {fmt.Sprint(perHost)},
			"prefer_centre": {centres[rnd.IntN(len(centres))]}, "order": {[]string{"pack", "spread"}[rnd.IntN(2)]},
		}
		if rnd.IntN(2) == 0 {
			q.Set("domestic", "yes")
		}
		if rnd.IntN(2) == 0 {
			q.Set("memory_gib", []string{"32", "48", "64", "80"}[rnd.IntN(4)])
		}
		if rnd.IntN(4) == 0 {
			q.Set("precision", []string{"fp16", "bf16", "int8"}[rnd.IntN(3)])
		}
		return "/v1/match?" + q.Encode()
	}},
	{"nothing (/healthz): what any answer takes", 5, func(*rand.Rand, []string) string { return "/healthz" }},
	{"capacity by=centre", 15, func(*rand.Rand, []string) string { return "/v1/capacity?by=centre" }},
	{"capacity of a centre by=model", 20, func(rnd *rand.Rand, centres []string) string {
		return "/v1/capacity?by=model&kind=all&centre=" + centres[rnd.IntN(len(centres))]
	}},
	{"capacity by=pool, all kinds", 10, func(*rand.Rand, []string) string { return "/v1/capacity?by=pool&kind=all" }},
}

// outcome is what became of a request.
type outcome struct {
	question int
	due      time.Time
	late     time.Duration // from when it was due until it was sent
	took     time.Duration // from when it was due until its answer was read
	bytes    int64
	tag      string
	err      error
}

// load is a process that asks. Requests are due by a Poisson process, whatever becomes of those before; what is timed begins
// when a request is due, so that a collector that stands still is seen to make all of them wait, and not one.
func load(ctx context.Context, o *options) error {
	fmt.Println("load")
	debug.SetGCPercent(2000) // the generator's own collections would be in the figures
	var doc capacity.Document
	if err := ask(ctx, "http://"+o.api+"/v1/capacity?by=centre", &doc); err != nil {
		return err
	}
	var names []string
	for _, g := range doc.Groups {
		names = append(names, g.Centre)
	}
	bell, err := newAlarm()
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512, MaxConnsPerHost: 512, DisableCompression: true}, Timeout: 10 * time.Second}
	rnd := rand.New(rand.NewPCG(1, 1))
	var mu sync.Mutex
	var outcomes []outcome
	var waiting sync.WaitGroup
	began := time.Now()
	timed := began.Add(o.warm)
	for due := began; due.Before(timed.Add(o.long)) && ctx.Err() == nil; due = due.Add(time.Duration(rnd.ExpFloat64() / o.rate * 1e9)) {
		which := pick(rnd)
		target := "http://" + o.api + questions[which].draw(rnd, names)
		if err := bell.until(due); err != nil {
			return err
		}
		waiting.Go(func() {
			out := one(ctx, client, target, due)
			if out.question = which; due.Before(timed) {
				return
			}
			mu.Lock()
			outcomes = append(outcomes, out)
			mu.Unlock()
		})
	}
	waiting.Wait()
	return report(o, outcomes)
}

func pick(rnd *rand.Rand) int {
	n := rnd.IntN(100)
	for i := range questions {
		if n -= questions[i].share; n < 0 {
			return i
		}
	}
	return 0
}

// one asks and reads the answer. Every match is read to the end of its JSON, so that an answer cut short is none.
func one(ctx context.Context, client *http.Client, target string, due time.Time) (out outcome) {
	out.due, out.late = due, time.Since(due)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return outcome{err: err}
	}
	resp, err := client.Do(req)
	if err != nil {
		return outcome{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	out.took, out.bytes, out.tag = time.Since(due), int64(len(body)), resp.Header.Get("ETag")
	switch {
	case err != nil:
	case resp.StatusCode != http.StatusOK:
		err = fmt.Errorf("%s: status %s: %.200s", target, resp.Status, body)
	case strings.Contains(target, "/v1/match") && !json.Valid(body):
		err = fmt.Errorf("%s: not JSON: %.200s", target, body)
	}
	out.err = err
	return out
}

// report prints what was seen.
func report(o *options, outcomes []outcome) error {
	tags := map[string]bool{}
	var late []time.Duration
	var failed []error
	took := make([][]time.Duration, len(questions))
	bytes := make([]int64, len(questions))
	for i := range outcomes {
		out := &outcomes[i]
		if out.err != nil {
			failed = append(failed, out.err)
			continue
		}
		tags[out.tag] = true
		late = append(late, out.late)
		took[out.question] = append(took[out.question], out.took)
		bytes[out.question] += out.bytes
	}
	fmt.Printf("%d requests in %s, %.0f a second, %d failed; %d revisions answered from\n", len(outcomes), o.long, float64(len(outcomes))/o.long.Seconds(), len(failed), len(tags))
	fmt.Println("\n| question | requests | mean size | p50 | p90 | p99 | p99.9 | longest |\n|---|---|---|---|---|---|---|---|")
	var all []time.Duration
	for i, q := range questions {
		if n := len(took[i]); n > 0 {
			fmt.Printf("| %s | %d | %.1f kB | %s |\n", q.name, n, float64(bytes[i])/float64(n)/1000, percentiles(took[i]))
		}
		all = append(all, took[i]...)
	}
	fmt.Printf("| all | %d | | %s |\n| the generator's own lateness, which is in all of the above | | | %s |\n", len(all), percentiles(all), percentiles(late))
	fmt.Println("\n" + bySecond(outcomes))
	if len(failed) > 0 {
		return fmt.Errorf("%d requests failed, the first: %w", len(failed), failed[0])
	}
	if len(all) == 0 {
		return errors.New("nothing was asked")
	}
	return nil
}

// percentiles are the cells of a row: p50, p90, p99, p99.9 and the longest, in milliseconds.
func percentiles(d []time.Duration) string {
	slices.Sort(d)
	var cells []string
	for _, p := range []float64{50, 90, 99, 99.9, 100} {
		if len(d) == 0 {
			return "– | – | – | – | –"
		}
		i := min(int(float64(len(d))*p/100), len(d)-1)
		cells = append(cells, fmt.Sprintf("%.2f ms", float64(d[i].Microseconds())/1000))
	}
	return strings.Join(cells, " | ")
}

// bySecond says what p99 is in each second by itself: what else runs on a shared machine spoils some of them.
func bySecond(outcomes []outcome) string {
	seconds := map[int64][]time.Duration{}
	for i := range outcomes {
		if out := &outcomes[i]; out.err == nil {
			seconds[out.due.Unix()] = append(seconds[out.due.Unix()], out.took)
		}
	}
	var p99 []time.Duration
	within := 0
	for _, took := range seconds {
		slices.Sort(took)
		worst := took[len(took)*99/100]
		if p99 = append(p99, worst); worst < target {
			within++
		}
	}
	if len(p99) == 0 {
		return "no second was answered in"
	}
	slices.Sort(p99)
	return fmt.Sprintf("p99 of each second: best %.2f ms, median %.2f ms, worst %.2f ms; under %s in %d of %d seconds",
		p99[0].Seconds()*1000, p99[len(p99)/2].Seconds()*1000, p99[len(p99)-1].Seconds()*1000, target, within, len(p99))
}

// target is what nearly every answer shall take at most.
const target = 5 * time.Millisecond
