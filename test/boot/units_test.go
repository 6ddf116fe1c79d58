package boot

import (
	"regexp"
	"strconv"
	"testing"
)

// mostExposed is how exposed systemd may find a service, from 0 (not at all) to 10.
var mostExposed = map[string]float64{"exameter-agent.service": 2.0, "exameter-collector.service": 1.5}

var exposure = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// exposures prints how exposed systemd finds the units, and holds them to the limit.
func exposures(m *machine) {
	m.t.Helper()
	for unit, most := range mostExposed {
		if said := m.run("systemd-analyze", "verify", unit); said != "" {
			m.t.Errorf("systemd-analyze verify %s:\n%s", unit, said)
		}
		said := m.run("systemd-analyze", "security", "--no-pager", "--offline=true", "/usr/lib/systemd/system/"+unit)
		found := exposure.FindStringSubmatch(said)
		if found == nil {
			m.t.Fatalf("no exposure in\n%s", said)
		}
		got, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			m.t.Fatal(err)
		}
		m.t.Logf("%s: exposure %.1f, at most %.1f", unit, got, most)
		if got > most {
			m.t.Errorf("%s is exposed by %.1f, want at most %.1f:\n%s", unit, got, most, said)
		}
	}
}

// TestUnits holds the units of both packages against systemd's own judgement.
func TestUnits(t *testing.T) {
	m := boot(t)
	m.install("exameter-agent", "exameter-collector")
	exposures(m)
}
