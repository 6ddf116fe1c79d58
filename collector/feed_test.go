package collector

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/feed/httpfeed"
	"github.com/exameter/exameter/collector/feed/kafkafeed"
	"github.com/exameter/exameter/telemetry"
)

// feedReader reads the capacity topic from its beginning, as docs/feed.md says that readers do.
type feedReader struct {
	t *testing.T

	mu      sync.Mutex
	scopes  map[string]kafkafeed.Record
	writers []kafkafeed.Writer // of scopes, in order, each once
	last    time.Time          // when the last record of the province came
	gap     time.Duration      // the longest time between two
	back    int                // records that were behind what was known
}

func readFeed(t *testing.T, brokers []string) *feedReader {
	f := &feedReader{t: t, scopes: map[string]kafkafeed.Record{}}
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: brokers, Topic: telemetry.CapacityTopic, MaxWait: 50 * time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			m, err := r.ReadMessage(ctx)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			f.take(m)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		_ = r.Close()
	})
	return f
}

func (f *feedReader) take(m kafka.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := string(m.Key)
	if strings.HasPrefix(key, "history/") {
		return
	}
	if m.Value == nil {
		delete(f.scopes, key)
		return
	}
	var r kafkafeed.Record
	if err := json.Unmarshal(m.Value, &r); err != nil || r.Scope != key {
		f.t.Errorf("%s: %v", m.Value, err)
		return
	}
	by := r.Writer
	by.Scope = ""
	if n := len(f.writers); n == 0 || f.writers[n-1] != by {
		f.writers = append(f.writers, by)
	}
	if key == "province" {
		if !f.last.IsZero() {
			f.gap = max(f.gap, time.Since(f.last))
		}
		f.last = time.Now()
	}
	if r.Revision < f.scopes[key].Revision {
		f.back++
		return // readers keep the highest
	}
	f.scopes[key] = r
}

// until waits until what is known is as wanted, and says how long that took.
func (f *feedReader) until(what string, within time.Duration, want func(scopes map[string]kafkafeed.Record) bool) time.Duration {
	f.t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		f.mu.Lock()
		ok := want(f.scopes)
		f.mu.Unlock()
		if ok {
			return time.Since(began)
		}
		if time.Since(began) > within {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.t.Fatalf("%s: not within %s; the province is %+v, writers %+v", what, within, f.scopes["province"].Devices, f.writers)
		}
	}
}

// TestFeed lets two collectors share the work: one of them writes the feed, the other goes on within seconds when it leaves, and who
// begins anew has the history.
func TestFeed(t *testing.T) {
	broker := newBroker(t, 2, []string{"a", "b"})
	p := newProducer(t, broker)
	var hosts []*server
	for i := range 8 {
		s := h200([]string{"a", "b"}[i%2], "host-"+strconv.Itoa(i), free, busy)
		hosts = append(hosts, s)
		p.inventory(s.centre, s.inventory())
		p.report(s.centre, s.report())
	}
	one, two := start(t, broker.ListenAddrs(), nil), start(t, broker.ListenAddrs(), nil)
	feed := readFeed(t, broker.ListenAddrs())
	for _, r := range []*running{one, two} {
		r.document("", rated(16))
		r.waitMetric("exameter_parts_owned", "2")
	}
	feed.until("all scopes", 10*time.Second, func(scopes map[string]kafkafeed.Record) bool {
		return len(scopes) == 5 && scopes["province"].Devices.Free == 8 && scopes["centre/a"].Devices.Busy == 4 &&
			scopes["pool/b/default/accelerator/nvidia/nvidia-h200-sxm"].Devices.Rated == 8
	})
	change := func(i int, busyNow int64) {
		t.Helper()
		hosts[i].states[0] = busy
		p.report(hosts[i].centre, hosts[i].report())
		took := feed.until("a change", 15*time.Second, func(scopes map[string]kafkafeed.Record) bool {
			return scopes["province"].Devices.Busy == busyNow && scopes["centre/a"].Devices.Busy+scopes["centre/b"].Devices.Busy == busyNow
		})
		if took > 1500*time.Millisecond {
			t.Errorf("a change took %s to stand in the feed", took)
		}
	}
	change(0, 9)
	change(1, 10)
	writer, other := one, two
	if writer.metric("exameter_feed_writer") != "1" {
		writer, other = two, one
	}
	if writer.metric("exameter_feed_writer") != "1" || other.metric("exameter_feed_writer") != "0" {
		t.Errorf("%s and %s write", writer.metric("exameter_feed_writer"), other.metric("exameter_feed_writer"))
	}
	feed.mu.Lock()
	first := feed.writers[len(feed.writers)-1].Instance
	feed.mu.Unlock()
	writer.stop()
	other.waitMetric("exameter_feed_writer", "1")
	change(2, 11)
	feed.mu.Lock()
	if n := len(feed.writers); feed.back > 0 || n < 2 || feed.writers[n-1].Instance == first || feed.gap > 12*time.Second {
		t.Errorf("%d records went back, the longest gap was %s, writers %+v", feed.back, feed.gap, feed.writers)
	}
	for i, w := range feed.writers {
		for _, x := range feed.writers[:i] {
			if w.Generation <= x.Generation && w.Instance != x.Instance {
				t.Errorf("%+v wrote after %+v", w, x)
			}
		}
	}
	t.Logf("the longest gap was %s", feed.gap)
	feed.mu.Unlock()

	// All are gone; a third begins anew, and has what the others saw.
	before := past(t, other, "centre/a")
	if len(before) == 0 {
		t.Fatal("there is no history")
	}
	other.stop()
	third := start(t, broker.ListenAddrs(), nil)
	third.document("", rated(16))
	after := past(t, third, "centre/a")
	if len(after) < len(before) {
		t.Fatalf("%d points before, %d after", len(before), len(after))
	}
	x, _ := json.Marshal(before[0])
	y, _ := json.Marshal(after[0])
	if string(x) != string(y) || before[0].Devices.Rated != 8 {
		t.Errorf("the first point was %s and is %s", x, y)
	}
	third.until("/v1/history?scope=province&step=10s", func(h *httpfeed.History) bool {
		return len(h.Points) > 0 && h.Points[len(h.Points)-1].Devices == capacity.Devices{Rated: 16, Online: 16, Healthy: 16, Busy: 11, Free: 5}
	})
}

type historyPoints = []struct {
	At      time.Time        `json:"at"`
	Devices capacity.Devices `json:"devices"`
}

// past asks for the points of a scope.
func past(t *testing.T, r *running, scope string) historyPoints {
	t.Helper()
	code, body := r.get("/v1/history?step=10s&scope=" + url.QueryEscape(scope))
	var h struct{ Points historyPoints }
	if err := json.Unmarshal([]byte(body), &h); err != nil || code != 200 {
		t.Fatal(code, body, err)
	}
	return h.Points
}

// until asks for a history until it is as wanted.
func (r *running) until(path string, want func(*httpfeed.History) bool) {
	r.t.Helper()
	body := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var h httpfeed.History
		if _, body = r.get(path); json.Unmarshal([]byte(body), &h) == nil && want(&h) {
			return
		}
	}
	r.t.Fatalf("%s never became as wanted: %s", path, body)
}
