package fleet

import "github.com/exameter/exameter/telemetry"

// Prime puts what is known of a host where the decoder looks first when it reads a report of that host: identities that
// come again are then found by one comparison each, and no string is made of them. Key is the record's key in Kafka,
// which is the host's id; whatever a report says instead is taken from the report.
func (f *Fleet) Prime(centre string, key []byte, r *telemetry.Report) {
	slot, ok := f.centres[centre][string(key)]
	if !ok {
		return
	}
	h := f.hosts[slot]
	r.Centre, r.Host, r.Boot = h.centre, h.id, h.report.boot
	n := 0
	for i := range h.devices {
		if h.devices[i].claim&isSet == 0 {
			n++
		}
	}
	if cap(r.Devices) < n {
		r.Devices = append(r.Devices[:cap(r.Devices)], make([]telemetry.DeviceStatus, n-cap(r.Devices))...)
	}
	r.Devices = r.Devices[:cap(r.Devices)]
	n = 0
	for i := range h.devices {
		if d := &h.devices[i]; d.claim&isSet == 0 {
			r.Devices[n].ID = d.id
			n++
		}
	}
}
