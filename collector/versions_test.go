package collector

import (
	"strings"
	"testing"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// TestAnotherSchema has a collector of another schema write beside this one: figures stay right, each record is counted, and the log is not filled.
func TestAnotherSchema(t *testing.T) {
	broker := newBroker(t, 1, []string{"a"})
	p := newProducer(t, broker)
	host := h200("a", "host", free)
	p.inventory("a", host.inventory())
	p.report("a", host.report())
	r := start(t, broker.ListenAddrs(), nil)
	r.document("", rated(1))
	for range 10 {
		for _, key := range []string{"a/0", "a/0/owner", "a/0/3"} {
			p.raw(telemetry.PartialsTopic, key, []byte(`{"schema":2,"instance":"another","generation":99,"sequence":1}`))
		}
	}
	r.waitMetric(`exameter_partials_total{result="refused"}`, "30")
	host.states[0] = busy
	p.report("a", host.report())
	if doc := r.document("", func(d *capacity.Document) bool { return d.Total.Devices.Busy == 1 }); doc.Parts.Behind != 0 || doc.Parts.Total != 1 {
		t.Errorf("%+v", doc.Parts)
	}
	if n := strings.Count(r.logs.String(), "a partial cannot be read"); n != 1 {
		t.Errorf("%d lines in the log", n)
	}
}
