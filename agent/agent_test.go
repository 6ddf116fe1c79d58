package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/agent/report"
	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/telemetry"
)

// hardware is a source whose cards a test changes while the agent reads them.
type hardware struct {
	mu    sync.Mutex
	cards []poll.DeviceReading
	hang  chan struct{} // Read blocks while it is open; nil: it does not
	reads int
}

func (h *hardware) Name() string { return "nvml" }
func (h *hardware) Close() error { return nil }

func (h *hardware) Read(context.Context) (poll.Reading, error) {
	h.mu.Lock()
	hang, cards := h.hang, append([]poll.DeviceReading{}, h.cards...)
	h.reads++
	h.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return poll.Reading{
		Devices: &poll.DevicesReading{Devices: cards},
		CPU:     &poll.CPUReading{Info: telemetry.CPUInfo{Vendor: "GenuineIntel", Cores: telemetry.Known[int64](64)}, Utilization: telemetry.Known[telemetry.Permille](125)},
		Host:    &poll.HostReading{Uptime: telemetry.Known[telemetry.Seconds](7)},
	}, nil
}

func (h *hardware) change(f func(h *hardware)) { h.mu.Lock(); defer h.mu.Unlock(); f(h) }

func h200(n int) *hardware {
	h := &hardware{}
	for i := range n {
		h.cards = append(h.cards, poll.DeviceReading{
			Info:        telemetry.DeviceInfo{ID: fmt.Sprintf("GPU-%d", i), Index: telemetry.Known(int64(i)), Vendor: "nvidia", Name: "NVIDIA H200", Source: "nvml"},
			Utilization: telemetry.Known[telemetry.Permille](0), MemoryUsed: telemetry.Known[telemetry.Bytes](0), Processes: telemetry.Known[int64](0),
		})
	}
	return h
}

// logs is a log that tests can read while it is written.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(b) }

func (l *logs) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// running is an agent under test with what it sends.
type running struct {
	*testing.T
	config  Config
	reload  chan Config
	stop    func() error
	log     *logs
	reports chan telemetry.Report
	whole   chan telemetry.Inventory
}

func testConfig(t *testing.T, brokers []string) Config {
	c := DefaultConfig()
	c.Centre, c.Kafka.Brokers, c.Paths.State = "lab", brokers, t.TempDir()
	c.Intervals.Sample = config.Duration(100 * time.Millisecond)
	c.Intervals.Report = config.Duration(time.Minute) // so that only changes are reported
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

func lab(t *testing.T) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, telemetry.InventoryTopic("lab"), telemetry.TelemetryTopic("lab")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// start runs an agent until the test ends or stops it.
func start(t *testing.T, c Config, h *hardware) *running {
	t.Helper()
	r := &running{T: t, config: c, reload: make(chan Config), log: &logs{}, reports: make(chan telemetry.Report, 1000), whole: make(chan telemetry.Inventory, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- Run(ctx, c, Options{
			Log: slog.New(slog.NewTextHandler(r.log, nil)), Version: "test", Ready: func() { close(ready) }, Reload: r.reload,
			Sources: []poll.Member{{Source: h}}, Host: &Identity{ID: "host-1", Boot: "boot-1", Info: telemetry.HostInfo{Name: "node1"}},
		})
	}()
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = r.stop() })
	select {
	case <-ready:
	case err := <-done:
		done <- err
		t.Fatalf("agent ended: %v", err)
	case <-time.After(10 * time.Second):
		t.Fatalf("not ready after 10 s:\n%s", r.log)
	}
	return r
}

// follow reads what the agent sends.
func (r *running) follow(brokers []string) {
	var d telemetry.Decoder
	var mu sync.Mutex
	read := func(topic string, take func([]byte) error) {
		k := kafka.NewReader(kafka.ReaderConfig{Brokers: brokers, Topic: topic, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		r.Cleanup(func() { cancel(); <-done; k.Close() })
		go func() {
			defer close(done)
			for {
				m, err := k.ReadMessage(ctx)
				if err != nil {
					return
				}
				mu.Lock()
				err = take(m.Value)
				mu.Unlock()
				if err != nil || string(m.Key) != "host-1" {
					r.Errorf("record %q with key %q: %v", m.Value, m.Key, err)
				}
			}
		}()
	}
	read(telemetry.TelemetryTopic("lab"), func(b []byte) error {
		var v telemetry.Report
		err := d.Report(b, &v)
		r.reports <- v
		return err
	})
	read(telemetry.InventoryTopic("lab"), func(b []byte) error {
		var v telemetry.Inventory
		err := d.Inventory(b, &v)
		r.whole <- v
		return err
	})
}

// next waits for a report that fits.
func (r *running) next(what string, fits func(*telemetry.Report) bool) telemetry.Report {
	r.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case v := <-r.reports:
			if fits(&v) {
				return v
			}
		case <-timeout:
			r.Fatalf("no report of %s within 10 s:\n%s", what, r.log)
		}
	}
}

func states(v *telemetry.Report) string {
	var s []string
	for _, d := range v.Devices {
		s = append(s, string(d.State))
	}
	return strings.Join(s, " ")
}

func has(want string) func(*telemetry.Report) bool {
	return func(v *telemetry.Report) bool { return states(v) == want }
}

func TestChangesAreSeenWithinASecond(t *testing.T) {
	c := lab(t)
	h := h200(3)
	r := start(t, testConfig(t, c.ListenAddrs()), h)
	r.follow(c.ListenAddrs())
	first := r.next("the start", has("free free free"))
	if first.Origin != (telemetry.Origin{Centre: "lab", Cluster: "default", Host: "host-1"}) || first.Boot != "boot-1" || first.Seq < 1 {
		t.Errorf("header %+v", first.Header)
	}
	if cpu := first.CPU.Value; cpu.State != telemetry.Busy || cpu.CoresBusy != telemetry.Known[int64](8) {
		t.Errorf("processors %+v", cpu)
	}
	inv := <-r.whole
	if len(inv.Devices) != 3 || inv.Name != "node1" || inv.Agent != "test" || inv.ReportEvery.Value != 60_000 {
		t.Errorf("inventory %+v", inv)
	}
	seq := first.Seq
	for _, step := range []struct {
		change func(*hardware)
		want   string
	}{
		{func(h *hardware) { h.cards[1].Processes = telemetry.Known[int64](1) }, "free busy free"},
		{func(h *hardware) { h.cards[1].Processes = telemetry.Known[int64](0) }, "free free free"},
		{func(h *hardware) { h.cards[0].XIDs = []int64{79} }, "faulty free free"},
		{func(h *hardware) { h.cards = h.cards[:2] }, "faulty free faulty"},
	} {
		h.change(step.change)
		at := time.Now()
		v := r.next(step.want, has(step.want))
		if d := time.Since(at); d > time.Second {
			t.Errorf("%q was seen after %v", step.want, d)
		}
		if v.Seq <= seq {
			t.Errorf("number %d after %d", v.Seq, seq)
		}
		seq = v.Seq
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}

	// Another agent on the same host: it remembers what was missing and what sticks, and its numbers go on.
	h.change(func(h *hardware) { h.cards[0].XIDs = nil })
	again := start(t, r.config, h)
	again.follow(c.ListenAddrs())
	v := again.next("the second agent", func(v *telemetry.Report) bool { return states(v) == "faulty free faulty" && !v.Devices[0].XID.OK })
	if v.Seq <= seq {
		t.Errorf("number %d after %d", v.Seq, seq)
	}
	if v.Devices[2].Reason != "missing: source nvml no longer lists it" {
		t.Errorf("reason %q", v.Devices[2].Reason)
	}
}

func TestOrdersAreObeyedWithinASecond(t *testing.T) {
	c := lab(t)
	r := start(t, testConfig(t, c.ListenAddrs()), h200(2))
	r.follow(c.ListenAddrs())
	r.next("the start", has("free free"))
	store := &state.Store{Dir: r.config.Paths.State}
	order := func(f func(*state.Orders)) time.Time {
		t.Helper()
		if err := store.EditOrders(time.Now(), func(o *state.Orders) error { f(o); return nil }); err != nil {
			t.Fatal(err)
		}
		return time.Now()
	}
	at := order(func(o *state.Orders) { o.Drain("GPU-1", state.Drain{Reason: "noise"}) })
	r.next("a drained card", has("free drained"))
	if d := time.Since(at); d > time.Second {
		t.Errorf("drained after %v", d)
	}
	order(func(o *state.Orders) { o.Drain("", state.Drain{Reason: "move"}) })
	v := r.next("a drained host", has("drained drained"))
	if v.CPU.Value.State != telemetry.Drained || v.CPU.Value.Reason != "drained: move" {
		t.Errorf("processors %+v", v.CPU.Value)
	}
	order(func(o *state.Orders) { o.Undrain("", time.Now()) })
	r.next("an undrained host", has("free drained"))

	// An order that cannot be understood does not undo what stands.
	if err := os.WriteFile(filepath.Join(r.config.Paths.State, "drain.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); !strings.Contains(r.log.String(), "set aside"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("nothing was said about the broken file:\n%s", r.log)
		}
	}
	order(func(o *state.Orders) { o.Drain("GPU-0", state.Drain{Reason: "too"}) })
	r.next("both", has("drained drained"))
}

func TestLostOrdersDrainTheHost(t *testing.T) {
	c := lab(t)
	cfg := testConfig(t, c.ListenAddrs())
	if err := os.WriteFile(filepath.Join(cfg.Paths.State, "drain.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, cfg, h200(1))
	r.follow(c.ListenAddrs())
	r.next("a drained host", has("drained"))
	if o, _, err := (&state.Store{Dir: cfg.Paths.State}).Orders(); err != nil || o.Host == nil {
		t.Errorf("orders on disk %+v, %v", o, err)
	}
}

// TestUnreadableOrdersAreDeleted drains a host whose orders cannot be read, and keeps it drained when their file is gone, in a file that says so.
func TestUnreadableOrdersAreDeleted(t *testing.T) {
	c := lab(t)
	cfg := testConfig(t, c.ListenAddrs())
	path := filepath.Join(cfg.Paths.State, "drain.json")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	r := start(t, cfg, h200(1))
	r.follow(c.ListenAddrs())
	r.next("a drained host", has("drained"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	store := &state.Store{Dir: cfg.Paths.State, Look: true}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if o, changed, err := store.Orders(); err == nil && changed && o.Host != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the host is drained, and no orders say so:\n%s", r.log)
		}
	}
	if err := store.EditOrders(time.Now(), func(o *state.Orders) error { o.Undrain("", time.Now()); return nil }); err != nil {
		t.Fatal(err)
	}
	r.next("an undrained host", has("free"))
}

// TestOddFigure has a card say of itself what cannot be: the host is heard of all the same, and the log names the figure.
func TestOddFigure(t *testing.T) {
	c := lab(t)
	h := h200(1)
	h.change(func(h *hardware) { h.cards[0].Temperature = telemetry.Known[telemetry.Celsius](65535) })
	r := start(t, testConfig(t, c.ListenAddrs()), h)
	r.follow(c.ListenAddrs())
	if v := r.next("a report", has("free")); v.Devices[0].Temperature.OK {
		t.Errorf("temperature %v", v.Devices[0].Temperature)
	}
	if !strings.Contains(r.log.String(), "temperature_c of line") {
		t.Errorf("nothing is said of it:\n%s", r.log)
	}
}

func TestReloadLosesNothing(t *testing.T) {
	c := lab(t)
	cfg := testConfig(t, []string{"127.0.0.1:1"}) // nobody is there
	h := h200(1)
	r := start(t, cfg, h)
	h.change(func(h *hardware) { h.cards[0].MemoryUsed = telemetry.Known[telemetry.Bytes](100 << 20) })
	time.Sleep(300 * time.Millisecond)
	cfg.Kafka = broker.Config{Brokers: c.ListenAddrs()}
	cfg.State.MemoryFloor, cfg.Centre = 64<<20, "elsewhere"
	r.reload <- cfg
	r.follow(c.ListenAddrs())
	r.next("what waited", has("free"))
	r.next("the new floor", has("busy"))
	if !strings.Contains(r.log.String(), "keys=[centre]") {
		t.Errorf("nothing was said about the centre:\n%s", r.log)
	}
}

func TestStopsInTimeWhateverHangs(t *testing.T) {
	h := h200(1)
	r := start(t, testConfig(t, []string{"127.0.0.1:1"}), h)
	hang := make(chan struct{})
	defer close(hang)
	h.change(func(h *hardware) { h.hang = hang })
	time.Sleep(300 * time.Millisecond)
	at := time.Now()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if d := time.Since(at); d > 2*time.Second {
		t.Errorf("stopped after %v", d)
	}
	for _, want := range []string{"left behind", "before everything was sent", "records_waiting="} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, r.log)
		}
	}
}

func TestLastReportIsFlushed(t *testing.T) {
	c := lab(t)
	r := start(t, testConfig(t, c.ListenAddrs()), h200(1))
	r.follow(c.ListenAddrs())
	r.next("the start", has("free"))
	time.Sleep(350 * time.Millisecond) // three samples that nobody has heard of
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	v := r.next("the end", has("free"))
	if !v.Devices[0].UtilizationMean.OK {
		t.Errorf("last report %+v", v.Devices[0])
	}
}

func TestStateDirectoryOutOfReach(t *testing.T) {
	c := lab(t)
	cfg := testConfig(t, c.ListenAddrs())
	file := filepath.Join(cfg.Paths.State, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Paths.State = filepath.Join(file, "below")
	r := start(t, cfg, h200(1))
	if !strings.Contains(r.log.String(), "nothing can be remembered") {
		t.Errorf("nothing was said:\n%s", r.log)
	}
}

// TestDevicesAreRememberedOnceTheyCanBe lets a file of devices be written only after a while: what was to be remembered is not forgotten
// meanwhile, and that it cannot be written is said once, although every error names another temporary file.
func TestDevicesAreRememberedOnceTheyCanBe(t *testing.T) {
	c := lab(t)
	cfg := testConfig(t, c.ListenAddrs())
	path := filepath.Join(cfg.Paths.State, "devices.json")
	if err := os.Mkdir(path, 0o700); err != nil { // nothing can be renamed to it
		t.Fatal(err)
	}
	h := h200(1)
	r := start(t, cfg, h)
	wait := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("no %s within 30 s:\n%s", what, r.log)
			}
		}
	}
	var reads int
	h.change(func(h *hardware) { reads = h.reads })
	wait("five readings", func() (done bool) { h.change(func(h *hardware) { done = h.reads >= reads+5 }); return done })
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wait("devices on disk", func() bool { b, err := os.ReadFile(path); return err == nil && strings.Contains(string(b), "GPU-0") })
	wait("word of it", func() bool { return strings.Contains(r.log.String(), "could remember the devices again") })
	if n := strings.Count(r.log.String(), "could not remember the devices"); n != 1 {
		t.Errorf("said %d times:\n%s", n, r.log)
	}
}

func TestNoIdentityNoAgent(t *testing.T) {
	c := testConfig(t, []string{"127.0.0.1:1"})
	c.Paths.Etc = t.TempDir()
	err := Run(t.Context(), c, Options{Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "machine-id") {
		t.Errorf("error %v", err)
	}
}

func TestSchedule(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	moments := map[time.Time]bool{}
	for _, host := range []string{"a", "b", "c", "d"} {
		s := newSchedule(host, 10*time.Second)
		var passed []time.Time
		for i := range 60 {
			if now := at.Add(time.Duration(i) * time.Second); s.passed(now) {
				passed = append(passed, now)
			}
		}
		if len(passed) != 6 && len(passed) != 7 {
			t.Errorf("host %s: %d times a minute", host, len(passed))
		}
		for i := 2; i < len(passed); i++ {
			if d := passed[i].Sub(passed[i-1]); d != 10*time.Second {
				t.Errorf("host %s: %v between two", host, d)
			}
		}
		moments[passed[1]] = true
	}
	if len(moments) < 3 {
		t.Errorf("four hosts at %d moments", len(moments))
	}
}

func TestSequence(t *testing.T) {
	up := 5 * time.Second
	clock := func() (time.Duration, error) { return up, nil }
	var s sequence
	var got []int64
	for range 3 {
		n, _ := s.next(clock)
		got = append(got, n)
	}
	up += time.Second
	n, _ := s.next(clock)
	if got = append(got, n); fmt.Sprint(got) != "[5000 5001 5002 6000]" {
		t.Errorf("numbers %v", got)
	}
	if _, err := s.next(func() (time.Duration, error) { return 0, errors.New("no clock") }); err == nil {
		t.Error("a number without a clock")
	}
	if a, err := Uptime(); err != nil || a <= 0 {
		t.Errorf("uptime %v, %v", a, err)
	}
}

// TestClockThatWasLost makes no report while the clock shows 1970, says so in plain words, and tells of all that was sampled once it is set.
func TestClockThatWasLost(t *testing.T) {
	o := newOutbox(testConfig(t, []string{"127.0.0.1:1"}), Identity{ID: "host-1", Boot: "b"}, Uptime, slog.New(slog.DiscardHandler))
	defer o.end(t.Context(), true)
	g := &report.Gatherer{Origin: telemetry.Origin{Centre: "lab", Cluster: "default", Host: "host-1"}, Boot: "b"}
	lost := time.Unix(75, 0)
	g.Add(poll.Tick{Time: lost, Results: []poll.Result{{Source: "host", Answers: []poll.Answer{{Reading: poll.Reading{
		Host: &poll.HostReading{Uptime: telemetry.Known[telemetry.Seconds](75)},
	}}}}}}, state.View{})
	if _, err := o.encodeReport(g, lost, state.DefaultRules()); err == nil || !strings.Contains(err.Error(), "this host's clock is wrong and has to be set: 1970-01-01T00:01:15Z") {
		t.Errorf("error %v", err)
	}
	b, err := o.encodeReport(g, lost.AddDate(56, 0, 0), state.DefaultRules())
	if err != nil || !strings.Contains(string(b), "uptime_s=75i") {
		t.Errorf("report %s, error %v", b, err)
	}
}
