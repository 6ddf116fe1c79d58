package collector

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/internal/broker"
)

// pages is a writer that writes as kafka-go's does: nothing at all where one record is too large.
type pages struct {
	limit   *kafka.Writer
	written chan []string
}

func (p *pages) WriteMessages(_ context.Context, msgs ...kafka.Message) error {
	over, cancel := context.WithCancel(context.Background())
	cancel() // it looks at sizes first, and needs go no further
	var large kafka.MessageTooLargeError
	if err := p.limit.WriteMessages(over, msgs...); errors.As(err, &large) {
		return err
	}
	keys := []string{}
	for _, m := range msgs {
		keys = append(keys, string(m.Key))
	}
	p.written <- keys
	return nil
}

// TestOneRecordIsTooLarge has a part whose sums do not fit into a record, as those of a centre do that names thousands of models: the other parts are
// published all the same.
func TestOneRecordIsTooLarge(t *testing.T) {
	var log strings.Builder
	w := &pages{limit: newPartialWriter(&kafka.Client{Addr: kafka.TCP("127.0.0.1:1")}), written: make(chan []string, 1)}
	p := newPublisher(w, slog.New(slog.NewTextHandler(&log, nil)), func(consume.Part, int64) bool { return true })
	for n, size := range []int{10, broker.MaxPartialBytes, broker.MaxPartialBytes - 100, 10} {
		id := consume.Part{Centre: "a", Number: n}
		p.put(id, 1, []record{{id.String(), int64(n), make([]byte, size)}})
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { p.run(ctx); close(done) }()
	select {
	case got := <-w.written:
		if !slices.Equal(got, []string{"a/0", "a/2", "a/3"}) {
			t.Errorf("written: %v", got)
		}
	case <-time.After(30 * time.Second):
		t.Error("nothing is written")
	}
	cancel()
	<-done
	if p.failed.Load() != 1 || !strings.Contains(log.String(), `part=a/1`) {
		t.Errorf("%d are counted as failed; the log:\n%s", p.failed.Load(), &log)
	}
}
