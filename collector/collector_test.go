package collector

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/telemetry"
)

const (
	free, busy, drained, faulty = telemetry.Free, telemetry.Busy, telemetry.Drained, telemetry.Faulty
)

func h200(centre, id string, states ...telemetry.State) *server {
	return &server{centre: centre, id: id, states: states, name: "NVIDIA H200"}
}

// rated waits for so many rated devices.
func rated(n int64) func(*capacity.Document) bool {
	return func(d *capacity.Document) bool { return d.Total.Devices.Rated == n && d.Total.Devices.Stale == 0 }
}

// TestEightCards is the figure that can be checked by hand: 8 H200 of 989.5 Tflop/s (dense FP16), of which one is lost,
// one has a fatal XID, one is drained, three are busy and two are free.
func TestEightCards(t *testing.T) {
	broker := newBroker(t, 2, []string{"guian"})
	p := newProducer(t, broker)
	s := h200("guian", "host-1", faulty, faulty, drained, busy, busy, busy, free, free)
	p.inventory("guian", s.inventory())
	rep := s.report()
	rep.Devices[0].Reason, rep.Devices[1].Reason = "lost: GPU is lost", "xid: 79"
	rep.Devices[0].PowerMean = telemetry.Opt[telemetry.Milliwatts]{}
	p.report("guian", rep)
	r := start(t, broker.ListenAddrs(), nil)
	doc := r.document("", rated(8))
	if want := (capacity.Devices{Rated: 8, Online: 8, Healthy: 5, Busy: 3, Free: 2, Drained: 1, Faulty: 2}); doc.Total.Devices != want {
		t.Errorf("devices = %+v, want %+v", doc.Total.Devices, want)
	}
	const card = 989_500_000
	if want := (capacity.Eflops{Rated: 8 * card, Online: 8 * card, Healthy: 5 * card, Busy: 3 * card, Free: 2 * card, Drained: card, Faulty: 2 * card}); doc.Total.Eflops != want {
		t.Errorf("eflops = %+v, want %+v", doc.Total.Eflops, want)
	}
	if got := doc.Total.Eflops.Rated.Eflops(); got != "0.007916" {
		t.Errorf("rated = %s Eflops, want 0.007916", got)
	}
	if u := doc.Total.Utilisation; u == nil || *u != 0.48 { // 3 of 5 healthy cards at 0.8
		t.Errorf("utilisation = %v, want 0.48", u)
	}
	if doc.Total.PowerW != 3500 || doc.Total.PowerDevices != 7 {
		t.Errorf("power = %v W of %d devices, want 3500 of 7", doc.Total.PowerW, doc.Total.PowerDevices)
	}
	if doc.Total.Hosts != (capacity.Hosts{Rated: 1, Online: 1}) || *doc.Total.Coverage != 1 {
		t.Errorf("hosts = %+v, coverage %v", doc.Total.Hosts, *doc.Total.Coverage)
	}

	// A freed card is free at the API well within a second.
	s.states[3] = free
	began := time.Now()
	p.report("guian", s.report())
	doc = r.document("?by=centre", func(d *capacity.Document) bool { return d.Total.Devices.Free == 3 })
	if took := time.Since(began); took > time.Second {
		t.Errorf("a freed card took %s to be free at the API", took)
	}
	if len(doc.Groups) != 1 || doc.Groups[0].Centre != "guian" || doc.Groups[0].Eflops != doc.Total.Eflops {
		t.Errorf("groups = %+v", doc.Groups)
	}
}

// TestRestart rebuilds from Kafka and answers the same.
func TestRestart(t *testing.T) {
	broker := newBroker(t, 3, []string{"a", "b"})
	p := newProducer(t, broker)
	for i := range 12 {
		s := h200([]string{"a", "b"}[i%2], "host-"+strconv.Itoa(i), free, busy, drained)
		p.inventory(s.centre, s.inventory())
		if i < 10 { // two hosts never report, and are stale
			p.report(s.centre, s.report())
			s.states[0] = busy
			p.report(s.centre, s.report())
		}
	}
	gone := h200("a", "gone", free)
	p.inventory("a", gone.inventory())
	p.raw(telemetry.InventoryTopic("a"), "gone", nil)
	settled := func(d *capacity.Document) bool { return d.Total.Devices.Rated == 36 && d.Total.Devices.Busy == 20 }
	r := start(t, broker.ListenAddrs(), nil)
	first := r.document("?by=centre", settled)
	if want := (capacity.Devices{Rated: 36, Online: 30, Healthy: 20, Busy: 20, Drained: 10, Stale: 6}); first.Total.Devices != want {
		t.Errorf("devices = %+v, want %+v", first.Total.Devices, want)
	}
	r.stop()
	r = start(t, broker.ListenAddrs(), nil)
	again := r.document("?by=centre", func(*capacity.Document) bool { return true }) // the first answer there is
	if again.Total.Devices != first.Total.Devices || again.Total.Eflops != first.Total.Eflops || again.Total.Hosts != first.Total.Hosts {
		t.Errorf("after a restart the first answer is\n%+v, was\n%+v", again.Total, first.Total)
	}
	if again.Revision <= first.Revision {
		t.Errorf("revision went from %d to %d", first.Revision, again.Revision)
	}
}

// TestPoison sends what cannot be used between what can.
func TestPoison(t *testing.T) {
	broker := newBroker(t, 1, []string{"a"})
	p := newProducer(t, broker)
	s := h200("a", "host-1", free, free)
	r := start(t, broker.ListenAddrs(), nil)
	p.inventory("a", s.inventory())
	for _, bad := range []string{"not line protocol\n", "", "host,centre=a \xff\xfe=1i 1\n", "\x00\x00\x00"} {
		p.raw(telemetry.TelemetryTopic("a"), "host-1", []byte(bad))
		p.raw(telemetry.InventoryTopic("a"), "host-1", []byte(bad+"x"))
	}
	var e telemetry.Encoder
	good, err := e.AppendReport(nil, s.report())
	if err != nil {
		t.Fatal(err)
	}
	p.raw(telemetry.TelemetryTopic("a"), "another-host", good)
	p.raw(telemetry.TelemetryTopic("a"), "host-1", good[:len(good)/2])
	foreign := s.report()
	foreign.Centre = "elsewhere"
	p.report("a", foreign) // the topic's centre counts
	doc := r.document("?by=centre", rated(2))
	if len(doc.Groups) != 1 || doc.Groups[0].Centre != "a" || doc.Total.Devices.Free != 2 {
		t.Errorf("document = %+v", doc)
	}
	r.waitMetric("exameter_records_foreign_centre_total", "1")
	r.waitMetric(`exameter_records_rejected_total{reason="key-mismatch"}`, "1")
	r.waitMetric(`exameter_records_total{kind="telemetry",result="rejected"}`, "6")
	r.waitMetric(`exameter_records_total{kind="inventory",result="rejected"}`, "4")
	r.waitMetric(`exameter_quarantine_records_total{result="written"}`, "10")
	if info := broker.PartitionInfo(telemetry.QuarantineTopic, 0); info.HighWatermark != 10 {
		t.Errorf("the quarantine topic holds %d records, want 10", info.HighWatermark)
	}
}

// TestDuplicates replays a report, and sends an old one late.
func TestDuplicates(t *testing.T) {
	broker := newBroker(t, 1, []string{"a"})
	p := newProducer(t, broker)
	r := start(t, broker.ListenAddrs(), nil)
	s := h200("a", "host-1", free)
	p.inventory("a", s.inventory())
	old := s.report()
	s.states[0] = busy
	p.report("a", s.report())
	p.report("a", old)
	r.waitMetric(`exameter_records_total{kind="telemetry",result="duplicate"}`, "1")
	if doc := r.document("", rated(1)); doc.Total.Devices.Busy != 1 {
		t.Errorf("devices = %+v: the late report was applied", doc.Total.Devices)
	}
}

// TestNewCentreAndSilence adds a centre while the collector runs, and lets its host fall silent.
func TestNewCentreAndSilence(t *testing.T) {
	broker := newBroker(t, 1, []string{"a"})
	p := newProducer(t, broker)
	r := start(t, broker.ListenAddrs(), func(c *Config, _ *Options) { c.StaleAfter = config.Duration(2 * time.Second) })
	r.document("", rated(0))
	addCentre(t, broker, "late", 2)
	s := h200("late", "host-9", free)
	p.inventory("late", s.inventory())
	p.report("late", s.report())
	r.document("?by=centre", func(d *capacity.Document) bool { return len(d.Groups) == 1 && d.Groups[0].Centre == "late" })
	r.document("", func(d *capacity.Document) bool {
		return d.Total.Devices == capacity.Devices{Rated: 1, Stale: 1} && d.Total.Hosts == capacity.Hosts{Rated: 1} && d.Total.Age == nil
	})
	p.report("late", s.report())
	r.document("", func(d *capacity.Document) bool { return d.Total.Devices.Free == 1 })
}

// TestBrokerDownAndUp starts without a broker, loses it later, and goes on where it was.
func TestBrokerDownAndUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	opts := []kfake.Opt{kfake.DataDir(dir), kfake.Ports(port)}
	r := start(t, []string{"127.0.0.1:" + strconv.Itoa(port)}, nil)
	if code, body := r.get("/readyz"); code != 503 || !strings.Contains(body, "no broker has answered") {
		t.Errorf("/readyz = %d %s", code, body)
	}
	if code, body := r.get("/v1/capacity"); code != 503 || !strings.Contains(body, "rebuilding") {
		t.Errorf("/v1/capacity = %d %s", code, body)
	}
	if code, _ := r.get("/healthz"); code != 200 {
		t.Errorf("/healthz = %d", code)
	}
	broker := newBroker(t, 1, []string{"a"}, opts...)
	p := newProducer(t, broker)
	s := h200("a", "host-1", free, free)
	p.inventory("a", s.inventory())
	p.report("a", s.report())
	r.document("", rated(2))
	if code, _ := r.get("/readyz"); code != 200 {
		t.Errorf("/readyz = %d after the rebuild", code)
	}

	broker.Close()
	r.waitMetric("exameter_ready", "1")
	time.Sleep(500 * time.Millisecond)
	broker = newBroker(t, 1, []string{"a"}, opts...)
	s.states[0] = busy
	newProducer(t, broker).report("a", s.report())
	r.document("", func(d *capacity.Document) bool { return d.Total.Devices.Busy == 1 && d.Total.Devices.Free == 1 })
	// The report is read as soon as its partition is, and others may take longer.
	for _, word := range []string{"broker unreachable", "retry_in", "broker recovered"} {
		for deadline := time.Now().Add(15 * time.Second); !strings.Contains(r.logs.String(), word); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the log does not say %q:\n%s", word, r.logs)
			}
		}
	}
}
