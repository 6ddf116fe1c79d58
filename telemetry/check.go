package telemetry

import (
	"errors"
	"fmt"
	"time"
)

// The times that a record can have been made at: minTime is the first, maxTime is no longer one. Both fit a timestamp in
// nanoseconds.
var (
	minTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	maxTime = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

var errUnknown = errors.New("must be known")

// checkIDs refuses a centre or a cluster that is not one.
func (l *line) checkIDs(o *Origin) {
	if err := ValidID(o.Centre); err != nil {
		l.refuse(ReasonRange, "centre", err)
	}
	if err := ValidID(o.Cluster); err != nil {
		l.refuse(ReasonRange, "cluster", err)
	}
}

// ValidTime reports what keeps t from being a time that a clock in order can have shown, and a record have been made at.
func ValidTime(t time.Time) error {
	if t.Before(minTime) || !t.Before(maxTime) {
		return fmt.Errorf("%s is not within %d to %d", t.UTC().Format(time.RFC3339Nano), minTime.Year(), maxTime.Year())
	}
	return nil
}

// checkTime refuses a time that no clock in order can have shown.
func (l *line) checkTime(t time.Time) {
	if err := ValidTime(t); err != nil {
		l.refuse(ReasonRange, "time", err)
	}
}

// check refuses what the fields of a line cannot say together. It follows fields.
func (h *Header) check(l *line) {
	if h.Boot == "" {
		l.refuse(ReasonMissing, "boot", errUnknown)
	}
	if h.Seq == 0 {
		l.refuse(ReasonMissing, "seq", errUnknown)
	}
}

func (d *DeviceInfo) check(l *line) {
	// Such a line cannot be written, and without it the device would be lost in silence.
	if l.known == 0 {
		l.refuse(ReasonMissing, "", errors.New("nothing is known of the device"))
	}
}

func (c *CPUStatus) check(l *line) {
	l.checkState(c.State)
	l.checkShare("cores_busy", c.CoresBusy, c.Cores)
}

func (d *DeviceStatus) check(l *line) {
	l.checkState(d.State)
	l.checkShare("slices_busy", d.SlicesBusy, d.Slices)
}

func (s *SourceStatus) check(l *line) {
	if !l.hasFirst() {
		l.refuse(ReasonMissing, "ok", errUnknown)
	}
}

func (l *line) checkState(s State) {
	if s == "" {
		l.refuse(ReasonMissing, "state", errUnknown)
	}
}

// checkShare refuses a part that is more than its whole.
func (l *line) checkShare(key string, part, whole Opt[int64]) {
	if part.OK && whole.OK && part.Value > whole.Value {
		l.refuse(ReasonRange, key, fmt.Errorf("%d of %d", part.Value, whole.Value))
	}
}

// checkNew refuses the last of parts if an earlier one has its id, or if there are more than limit.
func checkNew[T any](l *line, tag string, parts []T, id func(*T) string, limit int) {
	if len(parts) > limit {
		l.refuse(ReasonOversized, "", fmt.Errorf("more than %d lines of one measurement", limit))
		return
	}
	last := id(&parts[len(parts)-1])
	for i := range parts[:len(parts)-1] {
		if id(&parts[i]) == last {
			l.refuse(ReasonDuplicate, tag, fmt.Errorf("%s stands twice", quote(last)))
			return
		}
	}
}

func deviceInfoID(d *DeviceInfo) string     { return d.ID }
func deviceStatusID(d *DeviceStatus) string { return d.ID }
func powerDomain(p *PowerStatus) string     { return p.Domain }
func sourceName(s *SourceStatus) string     { return s.Source }
