// Package spool keeps records between the making and the sending: in memory (Queue), and on disk (Disk) once Kafka cannot be given them.
package spool

import (
	"math"
	"sync"
)

// Record is one encoded record on its way to Kafka.
type Record struct {
	Topic string
	Key   []byte
	Value []byte
}

func (r *Record) size() int64 { return int64(len(r.Topic) + len(r.Key) + len(r.Value)) }

// Batch is what Next hands out: the oldest records of one topic. They stay in the queue until they are acknowledged.
type Batch struct {
	Records []Record
	first   uint64   // number of the first record, in memory
	numbers []uint64 // of the records, on disk
}

// Stats counts what is in a queue and what fell out of it.
type Stats struct {
	Records, Bytes int64
	Dropped        int64 // records dropped unsent, because the queue was full, they were too old or Kafka would never take them
	Broken         int64 // records that could not be read back from disk
}

// Add adds another queue's counts.
func (s Stats) Add(o Stats) Stats {
	return Stats{s.Records + o.Records, s.Bytes + o.Bytes, s.Dropped + o.Dropped, s.Broken + o.Broken}
}

// Queue is a bounded queue in memory with one reader. When it is full the oldest record makes room, and is counted:
// what happened last matters most. The reader may hold a batch meanwhile; what it delivers all the same is not counted
// as dropped.
type Queue struct {
	maxRecords, maxBytes int64
	latest               bool // a newer record replaces the older

	mu      sync.Mutex
	wake    chan struct{} // signalled when a record came or the queue was closed
	lent    []Record      // to somebody who takes them over, or gives them back; they come before records
	records []Record
	first   uint64 // number of records[0]; numbers grow by one from record to record
	bytes   int64
	dropped int64
	closed  bool
}

// NewQueue makes a queue for at most the given records and bytes. The newest record always finds room.
func NewQueue(maxRecords, maxBytes int64) *Queue {
	return &Queue{maxRecords: max(maxRecords, 1), maxBytes: maxBytes, wake: make(chan struct{}, 1)}
}

// NewLatest makes a queue that holds one record: a newer one takes the place of the older, and nothing is dropped by
// that, because the newer says all that the older said.
func NewLatest() *Queue {
	q := NewQueue(1, math.MaxInt64)
	q.latest = true
	return q
}

// Resize changes the bounds.
func (q *Queue) Resize(maxRecords, maxBytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.maxRecords, q.maxBytes = max(maxRecords, 1), maxBytes
	q.shrink()
}

// Put adds a record at the end.
func (q *Queue) Put(r Record) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.records = append(q.records, r)
	q.bytes += r.size()
	q.shrink()
	q.signal()
}

// shrink drops the oldest records beyond the bounds.
func (q *Queue) shrink() {
	for len(q.records) > 1 && (int64(len(q.lent)+len(q.records)) > q.maxRecords || q.bytes > q.maxBytes) {
		q.pop()
		if !q.latest {
			q.dropped++
		}
	}
}

func (q *Queue) pop() {
	q.bytes -= q.records[0].size()
	q.records[0] = Record{}
	q.records = q.records[1:]
	q.first++
	if len(q.records) == 0 {
		q.records = nil // lets go of what the queue grew to
	}
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Wake yields something when a record came or the queue was closed since it last did. One goroutine reads it.
func (q *Queue) Wake() <-chan struct{} { return q.wake }

// Next returns the oldest records of one topic, at most the given records and bytes, but at least one, unless there is none. Where closed, no
// more will come.
func (q *Queue) Next(maxRecords int, maxBytes int64) (b Batch, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Batch{Records: q.oldest(maxRecords, maxBytes), first: q.first}, q.closed
}

// oldest copies the oldest records of one topic within the bounds. The caller holds the lock.
func (q *Queue) oldest(maxRecords int, maxBytes int64) (records []Record) {
	var bytes int64
	for i := range q.records {
		r := &q.records[i]
		bytes += r.size()
		if i > 0 && (i >= maxRecords || bytes > maxBytes || r.Topic != q.records[0].Topic) {
			break
		}
		records = append(records, *r)
	}
	return records
}

// Ack removes the first n records of a batch: they were delivered.
func (q *Queue) Ack(b Batch, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if fell := min(int64(q.first-b.first), int64(n)); fell > 0 && !q.latest {
		q.dropped -= fell // they fell out while they were on their way, and arrived
	}
	q.remove(b.first + uint64(n))
}

// Reject removes the record with the given index of a batch, and those before it: it can never be delivered, and
// counts as dropped.
func (q *Queue) Reject(b Batch, i int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	number := b.first + uint64(i)
	if q.first <= number {
		q.dropped++
	}
	q.remove(number + 1)
}

// remove drops the records before the given number.
func (q *Queue) remove(before uint64) {
	for len(q.records) > 0 && q.first < before {
		q.pop()
	}
}

// Lend hands out the oldest records, as many as Next does, to somebody who may take them over and has until Settle to say so. Meanwhile they
// count, do not fall out, and Next goes on behind them. There is one loan at a time.
func (q *Queue) Lend(maxRecords int, maxBytes int64) []Record {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lent = q.oldest(maxRecords, maxBytes)
	q.records, q.first = q.records[len(q.lent):], q.first+uint64(len(q.lent))
	return q.lent
}

// Settle ends a loan: the first n records of it were taken over, and the others are again the oldest of the queue.
func (q *Queue) Settle(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.lent[:n] {
		q.bytes -= q.lent[i].size()
	}
	back := q.lent[n:]
	q.lent = nil
	q.records, q.first = append(back, q.records...), q.first-uint64(len(back))
	if len(q.records) == 0 {
		q.records = nil
	}
	q.shrink()
}

// Close says that no more records come. What is in the queue can still be read.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

// Stats counts what is in the queue now.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Stats{Records: int64(len(q.lent) + len(q.records)), Bytes: q.bytes, Dropped: q.dropped}
}
