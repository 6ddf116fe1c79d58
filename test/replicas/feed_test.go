package replicas

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/feed/kafkafeed"
	"github.com/exameter/exameter/telemetry"
)

// silentFor is what is promised of the feed: the longest time between two records of the province, while whoever writes it is killed or
// stopped. A session ends after six seconds, and then the group agrees anew.
const silentFor = 15 * time.Second

// feed reads the capacity topic while collectors are killed.
type feed struct {
	t *testing.T

	mu      sync.Mutex
	scopes  map[string]kafkafeed.Record
	writers map[int32]string // by generation
	last    time.Time
	gap     time.Duration
	behind  int // records of one who was replaced, which readers leave out
	records int

	handed int // times that another collector went on
	by     string
}

// listen reads the feed until the test ends.
func listen(t *testing.T, brokers []string) *feed {
	f := &feed{t: t, scopes: map[string]kafkafeed.Record{}, writers: map[int32]string{}}
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: brokers, Topic: telemetry.CapacityTopic, MaxWait: 100 * time.Millisecond})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			if m, err := r.ReadMessage(ctx); err == nil {
				f.take(m)
			}
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
		_ = r.Close()
	})
	return f
}

func (f *feed) take(m kafka.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := string(m.Key)
	if strings.HasPrefix(key, "history/") {
		return
	}
	f.records++
	if m.Value == nil {
		f.t.Errorf("%s was removed, and nothing has gone", key)
		return
	}
	var r kafkafeed.Record
	if err := json.Unmarshal(m.Value, &r); err != nil {
		f.t.Errorf("%s: %v", key, err)
		return
	}
	if by, known := f.writers[r.Generation]; known && by != r.Instance {
		f.t.Errorf("%s and %s both wrote in generation %d", by, r.Instance, r.Generation)
	}
	f.writers[r.Generation] = r.Instance
	if f.by != r.Instance {
		f.by = r.Instance
		f.handed++
	}
	if key == "province" {
		if now := time.Now(); !f.last.IsZero() {
			f.gap = max(f.gap, now.Sub(f.last))
		}
		f.last = time.Now()
	}
	if r.Revision < f.scopes[key].Revision {
		f.behind++
		return
	}
	f.scopes[key] = r
}

// writer is which of so many replicas writes the feed.
func (f *feed) writer(replicas int) int {
	f.t.Helper()
	for deadline := time.Now().Add(exactWithin); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		f.mu.Lock()
		by := f.scopes["province"].Instance
		f.mu.Unlock()
		for i := range replicas {
			if by == fmt.Sprintf("replica-%d", i) {
				return i
			}
		}
	}
	f.t.Fatal("nobody writes the feed")
	return 0
}

// checked holds what a reader knows at last against the ledger, and how long the feed was ever silent against what is promised.
func (f *feed) checked(p *province) {
	f.t.Helper()
	wrong := ""
	for deadline := time.Now().Add(exactWithin); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		f.mu.Lock()
		wrong = ""
		for _, centre := range p.Centres() {
			have := f.scopes["centre/"+centre].Devices
			if yes, now := p.known(centre, have); !yes && now.Rated > 0 {
				wrong += centre + " "
			}
		}
		f.mu.Unlock()
		if wrong == "" {
			break
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if wrong != "" {
		f.t.Errorf("the feed never said of %swhat the ledger says", wrong)
	}
	f.gap = max(f.gap, time.Since(f.last))
	if f.gap > silentFor {
		f.t.Errorf("the feed was silent for %s, want at most %s", f.gap, silentFor)
	}
	if f.handed < 2 {
		f.t.Error("the one that wrote the feed was killed, and nobody else went on")
	}
	f.t.Logf("feed: %d records in %d generations, handed over %d times, %d of them behind and left out, longest silence %.1f s", f.records, len(f.writers), f.handed-1, f.behind, f.gap.Seconds())
}
