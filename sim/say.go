package sim

import (
	"fmt"
	"time"

	"github.com/exameter/exameter/telemetry"
)

// message is one record on its way, with what the ledger enters when it is acknowledged.
type message struct {
	topic      string
	host       *host
	from, to   int // its bytes within the batch's buffer
	inventory  bool
	said       statement
	nextReport int64
}

// batch is what a centre says in one go. Its buffer is used again.
type batch struct {
	buf      []byte
	messages []message
	more     bool // more hosts are due than were let into the batch
}

// value is the bytes of a message.
func (b *batch) value(m *message) []byte { return b.buf[m.from:m.to] }

// collect encodes what hosts have to say at now: an inventory before a boot's first report and hourly, and the report.
// At most limit hosts speak.
func (c *centre) collect(b *batch, now time.Time, limit int) error {
	b.buf, b.messages, b.more = b.buf[:0], b.messages[:0], false
	ns := now.UnixNano()
	for _, h := range c.hosts {
		if h.due > ns {
			continue
		}
		if limit--; limit < 0 {
			b.more = true
			return nil
		}
		if h.listed == 0 && (!h.silent || !h.known) || h.listed != 0 && !h.silent && ns-h.listed >= int64(inventoryEvery) {
			h.writeInventory(&c.inv, now, c.spec.Interval, c.spec.Version)
			if err := b.append(message{topic: telemetry.InventoryTopic(c.ID), host: h, inventory: true}, c, nil); err != nil {
				return err
			}
		}
		m := message{topic: telemetry.TelemetryTopic(c.ID), host: h, nextReport: ns + c.pace(h, ns)}
		h.due = m.nextReport
		if h.silent {
			continue
		}
		m.said = h.writeReport(&c.rep, now, c.spec.Interval, c.dust)
		if err := b.append(m, c, &c.rep); err != nil {
			return err
		}
	}
	return nil
}

// pace is how long a host waits for its next report: an interval, except that after the ramp it falls into a phase that
// spreads the hosts over the whole interval.
func (c *centre) pace(h *host, ns int64) int64 {
	every := int64(c.spec.Interval)
	if h.report == 0 {
		return 1 + c.dust.Int64N(every)
	}
	return every
}

func (b *batch) append(m message, c *centre, rep *telemetry.Report) (err error) {
	m.from = len(b.buf)
	if rep != nil {
		b.buf, err = c.enc.AppendReport(b.buf, rep)
	} else {
		b.buf, err = c.enc.AppendInventory(b.buf, &c.inv)
	}
	if err != nil {
		return fmt.Errorf("encode a record of simulated host %q: %w", m.host.name, err)
	}
	m.to = len(b.buf)
	b.messages = append(b.messages, m)
	return nil
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
			m.host.due = c.now.UnixNano()
		case m.inventory:
			m.host.listed, m.host.known = c.now.UnixNano(), true
		default:
			m.host.said = m.said
		}
	}
}
