package sim

import (
	"fmt"
	"time"
)

// message is one record on its way, with what the ledger enters when it is acknowledged.
type message struct {
	topic     string
	host      *host
	from, to  int // its bytes within the batch's buffer
	id        int // and there, where the host's id begins
	inventory bool
	said      statement
}

// batch is what a centre says in one go. Its buffer is used again.
type batch struct {
	buf      []byte
	messages []message
	more     bool // more hosts are due than were let into the batch
}

// value is the bytes of a message.
func (b *batch) value(m *message) []byte { return b.buf[m.from:m.to] }

// key is the Kafka key of a message: the host's id, as it stands within the record.
func (b *batch) key(m *message) []byte { return b.buf[m.id : m.id+len(m.host.origin.Host)] }

// collect writes what hosts have to say at now: an inventory before a boot's first report and hourly, and the report.
// At most limit hosts speak.
func (c *centre) collect(b *batch, now time.Time, limit int) error {
	b.buf, b.messages, b.more = b.buf[:0], b.messages[:0], false
	ns := now.UnixNano()
	for ; c.cursor < len(c.due); c.cursor++ {
		if c.due[c.cursor] > ns {
			continue
		}
		if limit--; limit < 0 {
			b.more = true
			return nil
		}
		if err := c.speak(b, c.hosts[c.cursor], ns); err != nil {
			return err
		}
	}
	c.cursor = 0
	return nil
}

// speak writes what one host has to say.
func (c *centre) speak(b *batch, h *host, ns int64) (err error) {
	if h.listed == 0 && (!h.silent || !h.known) || h.listed != 0 && !h.silent && ns-h.listed >= int64(inventoryEvery) {
		from := len(b.buf)
		b.buf = h.words.appendInventory(b.buf, h, ns)
		b.messages = append(b.messages, message{
			topic: c.inventoryTopic, host: h, inventory: true, from: from, to: len(b.buf), id: from + len(h.words.listing[0]),
		})
	}
	c.due[h.number] = ns + c.pace(h)
	if h.silent {
		return nil
	}
	m := message{topic: c.telemetryTopic, host: h, from: len(b.buf), id: len(b.buf) + len(h.words.host[0])}
	if b.buf, m.said, err = h.words.appendReport(b.buf, h, ns, c.dust.Uint64()); err != nil {
		return fmt.Errorf("simulated host %q: %w", h.name, err)
	}
	m.to = len(b.buf)
	b.messages = append(b.messages, m)
	return nil
}

// pace is how long a host waits for its next report: an interval, except that after the ramp it falls into a phase that
// spreads the hosts over the whole interval.
func (c *centre) pace(h *host) int64 {
	every := int64(c.spec.Interval)
	if h.report == 0 {
		return 1 + c.dust.Int64N(every)
	}
	return every
}

// acknowledge enters into the ledger what the broker took. failed says, by message, what it did not take; that is said
// anew with the next batch.
func (c *centre) acknowledge(b *batch, failed func(i int) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range b.messages {
		m := &b.messages[i]
		switch {
		case failed(i):
			c.due[m.host.number] = c.now.UnixNano()
		case m.inventory:
			m.host.listed, m.host.known = c.now.UnixNano(), true
		default:
			m.host.said = m.said
		}
	}
}
