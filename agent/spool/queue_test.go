package spool

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func put(q *Queue, topic string, values ...string) {
	for _, v := range values {
		q.Put(Record{Topic: topic, Value: []byte(v)})
	}
}

func next(t *testing.T, q *Queue, n int) (Batch, string) {
	t.Helper()
	b, _ := q.Next(n, 1<<20)
	for len(b.Records) == 0 {
		<-q.Wake()
		b, _ = q.Next(n, 1<<20)
	}
	return b, text(b)
}

func text(b Batch) string {
	var s []string
	for _, r := range b.Records {
		s = append(s, string(r.Value))
	}
	return strings.Join(s, " ")
}

func TestQueueKeepsOrderUntilAcknowledged(t *testing.T) {
	q := NewQueue(10, 1<<20)
	put(q, "t", "a", "b", "c")
	put(q, "u", "d")
	b, got := next(t, q, 2)
	if got != "a b" {
		t.Errorf("first %q", got)
	}
	if _, again := next(t, q, 2); again != "a b" {
		t.Errorf("unacknowledged, it came back as %q", again)
	}
	q.Ack(b, 1)
	b, got = next(t, q, 10)
	if got != "b c" {
		t.Errorf("next %q: one topic at a time", got)
	}
	q.Ack(b, 2)
	b, got = next(t, q, 10)
	q.Ack(b, 1)
	if s := q.Stats(); got != "d" || s != (Stats{}) {
		t.Errorf("last %q, left %+v", got, s)
	}
}

func TestQueueDropsTheOldest(t *testing.T) {
	q := NewQueue(3, 1<<20)
	put(q, "t", "a", "b", "c", "d", "e")
	if _, got := next(t, q, 10); got != "c d e" || q.Stats().Dropped != 2 {
		t.Errorf("left %q, %+v", got, q.Stats())
	}
	q = NewQueue(100, 10) // each record has two bytes
	put(q, "t", "a", "b", "c", "d", "e", "f")
	if _, got := next(t, q, 10); got != "b c d e f" || q.Stats() != (Stats{Records: 5, Bytes: 10, Dropped: 1}) {
		t.Errorf("left %q, %+v", got, q.Stats())
	}
	put(q, "t", strings.Repeat("x", 50)) // too large for the queue, and still the newest
	if s := q.Stats(); s.Records != 1 || s.Dropped != 6 {
		t.Errorf("%+v", s)
	}
	q.Resize(1, 1)
	if s := q.Stats(); s.Records != 1 {
		t.Errorf("%+v", s)
	}
}

func TestQueueDoesNotCountWhatArrivedAsDropped(t *testing.T) {
	q := NewQueue(3, 1<<20)
	put(q, "t", "a", "b", "c")
	b, _ := next(t, q, 10)
	put(q, "t", "d", "e") // a and b fall out while they are on their way
	if d := q.Stats().Dropped; d != 2 {
		t.Errorf("dropped %d", d)
	}
	q.Ack(b, 3)
	if _, got := next(t, q, 10); got != "d e" || q.Stats().Dropped != 0 {
		t.Errorf("left %q, %+v", got, q.Stats())
	}
}

func TestQueueRejects(t *testing.T) {
	q := NewQueue(10, 1<<20)
	put(q, "t", "a", "b", "c")
	b, _ := next(t, q, 10)
	q.Ack(b, 1)
	q.Reject(b, 1)
	if _, got := next(t, q, 10); got != "c" || q.Stats().Dropped != 1 {
		t.Errorf("left %q, %+v", got, q.Stats())
	}
}

// TestQueueGoesOnBehindWhatIsLent delivers what is new while somebody has the oldest records, some of which come back.
func TestQueueGoesOnBehindWhatIsLent(t *testing.T) {
	q := NewQueue(4, 1<<20)
	put(q, "t", "a", "b", "c")
	if lent := q.Lend(2, 1<<20); len(lent) != 2 || string(lent[1].Value) != "b" {
		t.Errorf("lent %v", lent)
	}
	put(q, "t", "d", "e") // a and b do not fall out, and take room
	if s := q.Stats(); s != (Stats{Records: 4, Bytes: 8, Dropped: 1}) {
		t.Errorf("%+v", s)
	}
	b, got := next(t, q, 1)
	if got != "d" {
		t.Errorf("behind what is lent stands %q", got)
	}
	q.Ack(b, 1)
	q.Settle(1)
	if _, got := next(t, q, 10); got != "b e" || q.Stats() != (Stats{Records: 2, Bytes: 4, Dropped: 1}) {
		t.Errorf("left %q, %+v", got, q.Stats())
	}
}

func TestLatestReplaces(t *testing.T) {
	q := NewLatest()
	put(q, "t", "a", "b")
	b, got := next(t, q, 10)
	put(q, "t", "c") // while b is on its way
	q.Ack(b, 1)
	if _, after := next(t, q, 10); got != "b" || after != "c" || q.Stats().Dropped != 0 {
		t.Errorf("%q, then %q, %+v", got, after, q.Stats())
	}
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(10, 1<<20)
		go func() {
			time.Sleep(time.Second)
			put(q, "t", "a")
			time.Sleep(time.Second)
			q.Close()
		}()
		b, got := next(t, q, 10)
		q.Ack(b, 1)
		<-q.Wake()
		if b, closed := q.Next(10, 10); len(b.Records) > 0 || !closed || got != "a" {
			t.Errorf("%q, then %v of a closed queue, closed %t", got, b, closed)
		}
		q = NewQueue(10, 1<<20)
		put(q, "t", "a")
		q.Close()
		if _, got := next(t, q, 10); got != "a" {
			t.Error("what was in a closed queue is lost")
		}
	})
}

// TestQueueLosesNothingUncounted drives a queue at random: every record is delivered, in order, or counted.
func TestQueueLosesNothingUncounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := NewQueue(rapid.Int64Range(1, 5).Draw(t, "records"), rapid.Int64Range(1, 30).Draw(t, "bytes"))
		made, rejected := 0, 0
		var got []int
		var flying Batch
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				q.Put(Record{Topic: "t", Value: fmt.Append(nil, made)})
				made++
			case 2:
				if q.Stats().Records > 0 {
					flying, _ = q.Next(rapid.IntRange(1, 4).Draw(t, "batch"), 1<<20)
				}
			case 3:
				n := rapid.IntRange(0, len(flying.Records)).Draw(t, "delivered")
				for _, r := range flying.Records[:n] {
					var i int
					fmt.Sscan(string(r.Value), &i)
					got = append(got, i)
				}
				q.Ack(flying, n)
				if n < len(flying.Records) && rapid.Bool().Draw(t, "reject") {
					before := q.Stats().Dropped
					q.Reject(flying, n)
					rejected += int(q.Stats().Dropped - before)
				}
				flying = Batch{}
			case 4:
				flying = Batch{}
				lent := q.Lend(rapid.IntRange(1, 4).Draw(t, "lent"), 1<<20)
				for range rapid.IntRange(0, 4).Draw(t, "meanwhile") {
					q.Put(Record{Topic: "t", Value: fmt.Append(nil, made)})
					made++
				}
				n := rapid.IntRange(0, len(lent)).Draw(t, "taken")
				for _, r := range lent[:n] {
					var i int
					fmt.Sscan(string(r.Value), &i)
					got = append(got, i)
				}
				q.Settle(n)
			}
		}
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("delivered %v", got)
		}
		s := q.Stats()
		if int(s.Records+s.Dropped)+len(got) != made {
			t.Fatalf("made %d, delivered %d, %+v", made, len(got), s)
		}
		if s.Bytes < 0 || s.Dropped < int64(rejected) {
			t.Fatalf("%+v, rejected %d", s, rejected)
		}
	})
}
