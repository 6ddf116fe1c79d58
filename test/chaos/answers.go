package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/exameter/exameter/collector/capacity"
)

// Promises that every answer keeps, whatever happens.
const (
	conservation = "groups add up to the total, parts make the whole"
	countedOnce  = "no device counts twice, none is lost"
	sameAnswer   = "answers of one revision are the same"
	silence      = "silence is never idle: what nobody has heard of is stale"
	flagged      = "a figure that is wrong says so"
)

// cut is what the ETag of a collector says that hears nothing from Kafka.
const (
	cut    = "-cut"
	cutOff = "cut off"
)

// watch is what one collector answered, or what the feed says.
type watch struct {
	name string

	mu      sync.Mutex
	matched map[string]time.Time // by centre: when its figure was last what the ledger says, and nothing was flagged
	excused map[string]time.Time // by centre: when it was last flagged, or nobody answered
	idle    time.Time            // since when devices have been online of which nobody can know; zero while there are none
	flags   spell
	mute    spell
	why     string

	began      time.Time // the step of the schedule
	said, hush time.Time // since when in it an answer was flagged for the first time, and said that it is cut off
}

// spell is how long something lasts, and lasted at most: ever, and within the step of the schedule.
type spell struct {
	since           time.Time
	longest, within time.Duration
}

func (s *spell) note(on bool, now time.Time) {
	switch {
	case on && s.since.IsZero():
		s.since = now
	case !on:
		s.since = time.Time{}
		return
	}
	s.longest, s.within = max(s.longest, now.Sub(s.since)), max(s.within, now.Sub(s.since))
}

// begin begins a step of the schedule.
func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flags.within, w.mute.within = 0, 0
	w.began, w.said, w.hush = time.Now(), time.Time{}, time.Time{}
}

// noticed is how long after the step had begun an answer was flagged for the first time, and said that its collector is cut off; zero for never.
func (w *watch) noticed() (flagged, silent time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.said.IsZero() {
		flagged = w.said.Sub(w.began)
	}
	if !w.hush.IsZero() {
		silent = w.hush.Sub(w.began)
	}
	return flagged, silent
}

// degraded is how long answers were flagged, and how long there was none, at most within the step.
func (w *watch) degraded() (flagged, mute time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flags.within, w.mute.within
}

func newWatch(name string) *watch {
	return &watch{name: name, matched: map[string]time.Time{}, excused: map[string]time.Time{}}
}

// exactSince reports whether every centre's figure was right at some moment after t, and nothing is flagged now; else it says what is amiss.
func (w *watch) exactSince(t time.Time, centres []string) (bool, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.why != "" {
		return false, w.name + ": " + w.why
	}
	for _, c := range centres {
		if !w.matched[c].After(t) {
			return false, w.name + ": " + c + " is not what the ledger says"
		}
	}
	return true, ""
}

// judge looks at answers.
type judge struct {
	*findings
	ledger *ledger

	mu     sync.Mutex
	bodies map[string][sha256.Size]byte // by ETag
	order  []string
}

// poll asks a collector until ctx ends.
func (j *judge) poll(ctx context.Context, w *watch, addr string) {
	client := &http.Client{Timeout: 5 * time.Second}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked := time.Now()
		doc, tag, err := ask(ctx, client, addr, j)
		if ctx.Err() == nil {
			j.take(w, doc, tag, err, asked)
		}
	}
}

func ask(ctx context.Context, client *http.Client, addr string, j *judge) (*capacity.Document, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/v1/capacity?by=centre", nil)
	if err != nil {
		return nil, "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, "", err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, "", errors.New(resp.Status)
	}
	doc := &capacity.Document{}
	if err := json.Unmarshal(body, doc); j == nil || err != nil {
		if j == nil {
			return doc, "", err
		}
		j.violate(conservation, "%s answers what is no document: %v", addr, err)
		return nil, "", err
	}
	tag := resp.Header.Get("ETag")
	if !strings.Contains(tag, cut) { // each collector was cut off at another moment
		j.compare(tag, body)
	}
	return doc, tag, nil
}

// compare holds what two collectors answer at one revision against each other.
func (j *judge) compare(tag string, body []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	sum := sha256.Sum256(body)
	if have, ok := j.bodies[tag]; !ok {
		j.bodies[tag] = sum
		j.order = append(j.order, tag)
	} else if have != sum {
		j.violate(sameAnswer, "two answers of %s", tag)
	}
	if len(j.order) > 4096 {
		delete(j.bodies, j.order[0])
		j.order = j.order[1:]
	}
}

// take judges an answer of a collector, or that there was none.
func (j *judge) take(w *watch, doc *capacity.Document, tag string, err error, asked time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.mute.note(err != nil, now)
	if err != nil {
		w.flags.note(false, now)
		w.why = "does not answer: " + err.Error()
		for _, c := range j.ledger.centres() {
			w.excused[c] = now
		}
		return
	}
	j.addsUp(w.name, doc)
	old := asked.Sub(doc.AsOf)
	switch w.why = ""; {
	case strings.Contains(tag, cut):
		w.why = cutOff
	case doc.Parts.Behind > 0:
		w.why = fmt.Sprintf("%d parts are behind", doc.Parts.Behind)
	case old > freshFor:
		w.why = fmt.Sprintf("as of %.1f s ago", old.Seconds())
	}
	w.flags.note(w.why != "", now)
	if w.why != "" && w.said.IsZero() {
		w.said = now
	}
	if w.why == cutOff && w.hush.IsZero() {
		w.hush = now
	}
	// Twice in a row, so that what was asked while everything stood still does not count.
	switch unheard := old > staleAfter+grace && doc.Total.Devices.Online > 0; {
	case !unheard:
		w.idle = time.Time{}
	case w.idle.IsZero():
		w.idle = now
	case now.Sub(w.idle) > grace:
		j.violate(silence, "%s has %d devices online as of %.1f s ago", w.name, doc.Total.Devices.Online, old.Seconds())
	}
	figures := map[string]capacity.Figure{}
	for _, g := range doc.Groups {
		figures[g.Centre] = g.Figure
	}
	for _, c := range j.ledger.centres() {
		j.centre(w, c, figures[c], now)
	}
}

// centre holds a centre's figure against the ledger.
func (j *judge) centre(w *watch, centre string, f capacity.Figure, now time.Time) {
	if most := j.ledger.most(centre); f.Devices.Rated != most {
		j.violate(countedOnce, "%s has %d devices of %s, the ledger %d", w.name, f.Devices.Rated, centre, most)
	}
	yes, want := j.ledger.knows(centre, f.Devices)
	late := f.Age == nil || f.Age.Max > agesTo.Seconds() || f.Hosts.Online < f.Hosts.Rated
	switch {
	case yes && w.why == "":
		w.matched[centre] = now
	case w.why != "" || late:
		w.excused[centre] = now
	}
	since := slices.MaxFunc([]time.Time{w.matched[centre], w.excused[centre]}, time.Time.Compare)
	if !since.IsZero() && now.Sub(since) > wrongFor {
		j.violate(flagged, "%s has said of %s for %.1f s what is not so: %+v, the ledger says %+v", w.name, centre, now.Sub(since).Seconds(), f.Devices, want)
		w.excused[centre] = now
	}
}

// addsUp holds an answer against itself.
func (j *judge) addsUp(name string, doc *capacity.Document) {
	sum := map[string]int64{}
	check := func(where string, f *capacity.Figure) {
		d, e := f.Devices, f.Eflops
		if d.Rated != d.Online+d.Stale || d.Online != d.Healthy+d.Drained+d.Faulty || d.Healthy != d.Busy+d.Free {
			j.violate(conservation, "%s: %s: %+v", name, where, d)
		}
		if e.Rated != e.Online+e.Stale || e.Online != e.Healthy+e.Drained+e.Faulty || e.Healthy != e.Busy+e.Free {
			j.violate(conservation, "%s: %s: %+v", name, where, e)
		}
		if o := f.Origin; o.Devices.Domestic+o.Devices.Foreign+o.Devices.Unknown != d.Rated || o.Eflops.Domestic+o.Eflops.Foreign+o.Eflops.Unknown != e.Rated {
			j.violate(conservation, "%s: %s: %+v of %+v", name, where, o, d)
		}
	}
	add := func(f *capacity.Figure, sign int64) {
		for _, v := range []reflect.Value{reflect.ValueOf(f.Devices), reflect.ValueOf(f.Eflops)} {
			for i := range v.NumField() {
				sum[v.Type().Name()+"."+v.Type().Field(i).Name] += sign * v.Field(i).Int()
			}
		}
	}
	check("total", &doc.Total)
	add(&doc.Total, -1)
	for i := range doc.Groups {
		check(doc.Groups[i].Centre, &doc.Groups[i].Figure)
		add(&doc.Groups[i].Figure, 1)
	}
	for _, what := range slices.Sorted(maps.Keys(sum)) {
		if sum[what] != 0 {
			j.violate(conservation, "%s: groups have %d more %s than the total, at revision %d", name, sum[what], what, doc.Revision)
		}
	}
}
