package streamfeed

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/view"
)

// TestStreamsAreTrue lets readers watch two collectors that read one log, each at its own pace, come and go and go on at the other. After
// every event a reader has the document of its revision.
func TestStreamsAreTrue(t *testing.T) {
	deltas, resumed := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		q := capacity.Query{By: rapid.SampledFrom([][]capacity.Dimension{nil, {capacity.ByCentre}, {capacity.ByCentre, capacity.ByModel}}).Draw(rt, "by")}
		type collector struct {
			hub  *Hub
			view *view.View
			next int
		}
		var all [2]*collector
		for i := range all {
			all[i] = &collector{hub: New(Options{Patience: time.Hour}), view: view.New()}
		}
		type entry struct {
			key   string
			value []byte
		}
		var log []entry
		docs := map[int64]*capacity.Document{}
		truth := view.New()
		note := func() {
			doc, err := truth.Snapshot(nil).Document(q)
			if err != nil {
				rt.Fatal(err)
			}
			docs[doc.Revision] = doc
		}
		note()
		write := func() {
			centre := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "centre")
			draw := func(most int64) map[string]int64 {
				return map[string]int64{"m": rapid.Int64Range(0, most).Draw(rt, "m"), "n": rapid.Int64Range(0, most).Draw(rt, "n")}
			}
			e := entry{centre + "/" + strconv.Itoa(rapid.IntRange(0, 1).Draw(rt, "number")), nil}
			e.value = sums(rt, centre, int64(len(log)+1), draw(1), draw(2), draw(1000))
			_, _ = truth.Apply([]byte(e.key), e.value, int64(len(log)), start.Add(time.Duration(len(log))*100*time.Millisecond))
			log = append(log, e)
			note()
		}
		for range 8 {
			write()
		}
		now := time.Now() // and on from there, in big steps
		var readers []*reader
		for range rapid.IntRange(5, 60).Draw(rt, "steps") {
			c := all[rapid.IntRange(0, 1).Draw(rt, "collector")]
			switch rapid.SampledFrom([]string{"write", "read", "read", "round", "round", "watch", "resume", "drain"}).Draw(rt, "step") {
			case "write":
				write()
			case "read":
				for n := rapid.IntRange(0, 3).Draw(rt, "n"); n > 0 && c.next < len(log); n-- {
					_, _ = c.view.Apply([]byte(log[c.next].key), log[c.next].value, int64(c.next), start.Add(time.Duration(c.next)*100*time.Millisecond))
					c.next++
				}
				c.hub.Publish(c.view.Snapshot(nil))
			case "round":
				now = now.Add(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, 6 * time.Second, time.Minute}).Draw(rt, "passes"))
				c.hub.round(now)
			case "watch":
				if c.next > 0 {
					w, err := c.hub.Watch(q, nil)
					if err != nil {
						rt.Fatal(err)
					}
					readers = append(readers, &reader{w: w})
				}
			case "resume":
				if len(readers) == 0 || c.hub.latest.Load() == nil {
					continue
				}
				r := rapid.SampledFrom(readers).Draw(rt, "reader")
				if r.id == "" {
					continue
				}
				p, err := ParsePoint(r.id)
				if err != nil {
					rt.Fatal(err)
				}
				r.w.Close()
				if r.w, err = c.hub.Watch(q, &p); err != nil {
					rt.Fatal(err)
				}
				resumed++
			default:
				for _, r := range readers {
					before := r.id
					r.drain(rt)
					if r.id == "" {
						continue
					}
					if r.id != before {
						deltas++
					}
					r.same(rt, docs[r.doc.Revision])
				}
			}
		}
		for _, r := range readers {
			r.w.Close()
		}
		for _, c := range all {
			if s := c.hub.Stats(); s.Watchers != 0 || s.Queries != 0 {
				rt.Fatalf("everybody left, and yet: %+v", s)
			}
		}
	})
	if deltas == 0 || resumed == 0 {
		t.Errorf("%d events changed something, %d readers went on", deltas, resumed)
	}
	t.Log(deltas, "events,", resumed, "resumed")
}
