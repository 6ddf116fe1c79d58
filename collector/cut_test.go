package collector

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/telemetry"
)

// TestOldNews cuts a collector off from the log of partials. What it reads there first when it is back was written before: every device is stale until
// somebody says something new.
func TestOldNews(t *testing.T) {
	broker := newBroker(t, 1, []string{"a"})
	var deaf, dumb atomic.Bool
	refuse(broker, kmsg.Fetch, &deaf)
	refuse(broker, kmsg.Produce, &dumb)
	p := newProducer(t, broker)
	r := start(t, broker.ListenAddrs(), func(c *Config, _ *Options) { c.StaleAfter = config.Duration(2 * time.Second) })
	s := h200("a", "host-1", free)
	p.inventory("a", s.inventory())
	online := func(d *capacity.Document) bool { return d.Total.Devices.Free == 1 }
	p.report("a", s.report())
	r.document("", online)

	deaf.Store(true)
	before := r.end(broker)
	for r.end(broker) <= before+1 {
		time.Sleep(10 * time.Millisecond)
	}
	dumb.Store(true)
	unread := r.end(broker)
	r.wait(func() bool { return strings.Contains(r.tag(), "-cut") })
	deaf.Store(false)
	r.wait(func() bool { return r.document("", func(*capacity.Document) bool { return true }).Revision >= unread })
	for began := time.Now(); time.Since(began) < time.Second; time.Sleep(20 * time.Millisecond) {
		if tag := r.tag(); !strings.Contains(tag, "-cut") {
			t.Fatalf("%s: what was written before the cut counts as heard after it", tag)
		}
		if doc := r.document("", func(*capacity.Document) bool { return true }); doc.Total.Devices != (capacity.Devices{Rated: 1, Stale: 1}) {
			t.Fatalf("%+v, and nobody has said anything new", doc.Total.Devices)
		}
	}
	dumb.Store(false)
	p.report("a", s.report())
	r.document("", online)
	r.wait(func() bool { return !strings.Contains(r.tag(), "-cut") })
}

// refuse lets a broker close the connection on which it is asked for, or given, partials, while yes is true.
func refuse(c *kfake.Cluster, key kmsg.Key, yes *atomic.Bool) {
	c.ControlKey(key.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		concerned := false
		switch r := r.(type) {
		case *kmsg.FetchRequest:
			concerned = len(r.Topics) > 0 && r.Topics[0].Topic == telemetry.PartialsTopic
		case *kmsg.ProduceRequest:
			concerned = len(r.Topics) > 0 && r.Topics[0].Topic == telemetry.PartialsTopic
		}
		if concerned && yes.Load() {
			return nil, errors.New("refused"), true
		}
		return nil, nil, false
	})
}

// end is the offset after the last partial.
func (r *running) end(c *kfake.Cluster) int64 {
	return c.PartitionInfo(telemetry.PartialsTopic, 0).HighWatermark
}

func (r *running) tag() string {
	r.t.Helper()
	resp, err := http.Get(r.url + "/v1/capacity")
	if err != nil {
		r.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.Header.Get("ETag")
}

// wait waits for what will come about.
func (r *running) wait(what func() bool) {
	r.t.Helper()
	for began := time.Now(); !what(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			r.t.Fatalf("not within 20 s; the tag is %s\n%s", r.tag(), r.logs)
		}
	}
}
