package hosts

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A cursor says where a page begins, and which question it belongs to. It depends on nothing that a collector remembers, so it is good
// for as long as the reader likes, and at every collector.

// maxCursor bounds a cursor, in characters. JSON writes one character of a host's id as up to six.
const maxCursor = 4096

type cursor struct {
	Question string `json:"q"`
	Key
}

// question tells one question from another, whatever page of it is asked for.
func (q Query) question() string {
	q.After, q.Limit = nil, 0
	b, _ := json.Marshal(q) // a struct of texts and numbers
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// Cursor is the cursor of the page behind a place.
func (q *Query) Cursor(k *Key) string {
	b, _ := json.Marshal(cursor{q.question(), *k})
	return base64.RawURLEncoding.EncodeToString(b)
}

var (
	errCursor   = errors.New("is not a cursor of this list")
	errQuestion = errors.New("belongs to another question: the filters, the order and the precision must be those of the first page")
)

// Resume makes the question, which must be normal, begin at a cursor.
func (q *Query) Resume(text string) error {
	if len(text) > maxCursor {
		return errCursor
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return errCursor
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	var c cursor
	if err := d.Decode(&c); err != nil || d.More() {
		return errCursor
	}
	if c.Question != q.question() {
		return errQuestion
	}
	if err := c.check(q.Sort); err != nil {
		return fmt.Errorf("%w: %w", errCursor, err)
	}
	q.After = &c.Key
	return nil
}
