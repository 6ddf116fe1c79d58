package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Orders are what operators and schedulers told the agent, kept in drain.json. The zero value holds none.
type Orders struct {
	Version int              `json:"version"`
	Host    *Drain           `json:"host,omitempty"`    // of the whole host
	Devices map[string]Drain `json:"devices,omitempty"` // by device id
	// Acknowledged says when faults that stick were last declared over: by device id, "" for the whole host.
	Acknowledged map[string]time.Time `json:"acknowledged,omitempty"`
	// Forgotten says when a device was declared to be gone for good, by device id.
	Forgotten map[string]time.Time `json:"forgotten,omitempty"`
}

// Drain is one order to hand out nothing more.
type Drain struct {
	Reason        string    `json:"reason"`
	Since         time.Time `json:"since"`
	ReleaseDriver bool      `json:"release_driver,omitempty"` // let go of the driver, so that it can be unloaded
}

// MaxReason bounds the reason of a drain order, in bytes.
const MaxReason = 512

// ValidReason reports what is wrong with the reason of a drain order.
func ValidReason(s string) error {
	switch {
	case strings.TrimSpace(s) == "":
		return fmt.Errorf("a reason is needed, so that others know why")
	case len(s) > MaxReason:
		return fmt.Errorf("the reason has %d bytes, more than %d", len(s), MaxReason)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("the reason %q is not plain text of one line", s)
	}
	return nil
}

// Drain orders the host, or the device with the given id, to be drained. An order that stands already keeps its time.
func (o *Orders) Drain(device string, d Drain) {
	if device == "" {
		if o.Host != nil {
			d.Since = o.Host.Since
		}
		o.Host = &d
		return
	}
	if before, ok := o.Devices[device]; ok {
		d.Since = before.Since
	}
	if o.Devices == nil {
		o.Devices = map[string]Drain{}
	}
	o.Devices[device] = d
}

// Undrain withdraws the order on the host, or on one device, and declares its sticking faults over. It reports whether
// there was an order.
func (o *Orders) Undrain(device string, now time.Time) bool {
	if o.Acknowledged == nil {
		o.Acknowledged = map[string]time.Time{}
	}
	// Later than any before it, whose clock may have been ahead: else it would go unnoticed.
	for _, before := range o.Acknowledged {
		if !now.After(before) {
			now = before.Add(1)
		}
	}
	o.Acknowledged[device] = now
	if device == "" {
		was := o.Host != nil
		o.Host = nil
		return was
	}
	_, was := o.Devices[device]
	delete(o.Devices, device)
	return was
}

// Forget declares a device to be gone for good.
func (o *Orders) Forget(device string, now time.Time) {
	if o.Forgotten == nil {
		o.Forgotten = map[string]time.Time{}
	}
	o.Forgotten[device] = now
	delete(o.Devices, device)
	delete(o.Acknowledged, device)
}

// Of returns the order that holds for a device, the host's before its own, or nil.
func (o *Orders) Of(device string) *Drain {
	if o.Host != nil {
		return o.Host
	}
	if d, ok := o.Devices[device]; ok {
		return &d
	}
	return nil
}

// Drained lists the ids of devices with an order of their own, sorted.
func (o *Orders) Drained() []string { return slices.Sorted(maps.Keys(o.Devices)) }

// acknowledged returns when faults of a device were last declared over.
func (o *Orders) acknowledged(device string) time.Time {
	host, own := o.Acknowledged[""], o.Acknowledged[device]
	if own.After(host) {
		return own
	}
	return host
}

// ReleaseDriver says whether the drivers are to be let go.
func (o *Orders) ReleaseDriver() bool { return o.Host != nil && o.Host.ReleaseDriver }
