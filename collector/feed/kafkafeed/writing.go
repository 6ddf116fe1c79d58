package kafkafeed

import (
	"encoding/json"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// writing is what one round writes.
type writing struct {
	Writer
	msgs   []kafka.Message
	scopes map[string]bool
	err    error
}

// add adds a record, which is made for its writer.
func (w *writing) add(key, scope string, value func(Writer) any) {
	by := w.Writer
	by.Scope = scope
	b, err := json.Marshal(value(by))
	if err != nil {
		w.err = fmt.Errorf("encode %q: %w", key, err)
		return
	}
	w.msgs = append(w.msgs, kafka.Message{Key: []byte(key), Value: b})
}
