package collector

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/exameter/exameter/collector/capacity"
)

// TestReload reads the registry anew; a file that is wrong leaves everything as it is.
func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.yaml")
	write := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("centres: [{id: a}]\n")
	broker := newBroker(t, 1, []string{"a"})
	p := newProducer(t, broker)
	s := h200("a", "host-1", free, busy)
	p.inventory("a", s.inventory())
	p.report("a", s.report())
	reload := make(chan struct{})
	r := start(t, broker.ListenAddrs(), func(c *Config, o *Options) { c.Registry, o.Registry, o.Reload = path, nil, reload })
	class := func(want string) func(*capacity.Document) bool {
		return func(d *capacity.Document) bool { return len(d.Groups) == 1 && d.Groups[0].Class == want }
	}
	before := r.document("?by=class", class("intelligent"))
	write("centres: [{id: a, clusters: [{id: default, class: super}]}]\n")
	reload <- struct{}{}
	after := r.document("?by=class", class("super"))
	if after.Total.Devices != before.Total.Devices || after.Total.Eflops.Rated >= before.Total.Eflops.Rated || after.Total.Eflops.Rated == 0 {
		t.Errorf("before %+v, after %+v: want the same devices by FP64", before.Total, after.Total)
	}
	write("centres: [{id: a, clusters: [{id: default, class: fast}]}]\n")
	reload <- struct{}{}
	r.waitMetric(`exameter_reloads_total{result="failed"}`, "1")
	r.document("?by=class", class("super"))
}

// TestNewCentre adds a centre to the registry of a collector that counts no others: it is counted after a reload, without a restart.
func TestNewCentre(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.yaml")
	write := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("centres: [{id: a}]\n")
	broker := newBroker(t, 2, []string{"a", "b"})
	p := newProducer(t, broker)
	for _, centre := range []string{"a", "b"} {
		s := h200(centre, "host-of-"+centre, free, busy)
		p.inventory(centre, s.inventory())
		p.report(centre, s.report())
	}
	reload := make(chan struct{})
	r := start(t, broker.ListenAddrs(), func(c *Config, o *Options) {
		c.Registry, c.Discover, o.Registry, o.Reload = path, false, nil, reload
	})
	r.document("", rated(2))
	write("centres: [{id: a}, {id: b}]\n")
	reload <- struct{}{}
	r.document("?by=centre", func(d *capacity.Document) bool { return d.Total.Devices.Rated == 4 && len(d.Groups) == 2 })
	write("centres: [{id: b}]\n")
	reload <- struct{}{}
	r.document("?by=centre", func(d *capacity.Document) bool { return d.Total.Devices.Rated == 2 && d.Groups[0].Centre == "b" })
}
