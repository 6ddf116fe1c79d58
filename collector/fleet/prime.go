package fleet

import "github.com/exameter/exameter/telemetry"

// Prime puts what is known of a host where the decoder looks first when it reads a report of that host: identities that
// come again are then found by one comparison each, and no string is made of them. Key is the record's key in Kafka,
// which is the host's id; whatever a report says instead is taken from the report.
func (f *Fleet) Prime(centre string, key []byte, r *telemetry.Report) {
	slot, ok := slotOf(f, centre, hashOf(key), key)
	if !ok {
		return
	}
	h := f.at(slot)
	r.Centre, r.Host, r.Boot = h.centre, h.id(), h.report.boot
	n := len(h.devices)
	if h.processors() != nil {
		n--
	}
	if cap(r.Devices) < n {
		r.Devices = append(r.Devices[:cap(r.Devices)], make([]telemetry.DeviceStatus, n-cap(r.Devices))...)
	}
	r.Devices = r.Devices[:cap(r.Devices)]
	for i := range h.devices[:n] {
		r.Devices[i].ID = h.idOf(&h.devices[i])
	}
}
