package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/collector/capacity"
)

// One H200 is 989.5 TFLOPS at FP16 without sparsity.
const oneCard = "0.0009895"

// cards writes a scenario of eight H200; what[i] says what is with card i.
func cards(what map[int]string) string {
	var s strings.Builder
	s.WriteString("cards = 8\n")
	for i := range 8 {
		if lines := what[i]; lines != "" {
			fmt.Fprintf(&s, "[gpu %d]\n%s", i, lines)
		}
	}
	return s.String()
}

const (
	lost  = "lost = yes\n"
	fatal = "xid = 95\n"
	busy  = "processes = 4711\nused = 81920 MiB\nutilisation = 97 40\npower = 640000\nsm = 83\ntensor = 41\n"
)

// The host that the province must get right: eight cards, one lost, one after a fatal XID, one drained, three busy.
var (
	uneven = map[int]string{0: lost, 1: fatal, 3: busy, 4: busy, 5: busy}
	wanted = capacity.Devices{Rated: 8, Online: 8, Healthy: 5, Busy: 3, Free: 2, Drained: 1, Faulty: 2}
)

const drainedCard = "GPU-5eed0000-0000-4000-8000-000000000002"

func TestFiguresOfOneServer(t *testing.T) {
	w := newWorld(t, shared, "figures", asShipped)
	w.startCollector()
	w.write("cards", cards(nil))
	w.startAgent()
	w.wantDevices(soon, capacity.Devices{Rated: 8, Online: 8, Healthy: 8, Free: 8})

	w.write("cards", cards(uneven))
	w.exec("exameter-agent", "drain", "--config", w.path("agent.yaml"), "--device", drainedCard, "fan replaced")
	w.wantDevices(soon, wanted)
	exactEflops(w)
	answersAgree(w)
	figuresBy(w)

	t.Run("a freed card", func(t *testing.T) { freedCard(t, w) })
	t.Run("a silent host", func(t *testing.T) { silentHost(t, w) })
	t.Run("another collector", func(t *testing.T) { anotherCollector(t, w) })
	t.Run("undrain", func(t *testing.T) {
		w.exec("exameter-agent", "undrain", "--config", w.path("agent.yaml"), "--device", drainedCard)
		w.wantDevices(soon, capacity.Devices{Rated: 8, Online: 8, Healthy: 6, Busy: 3, Free: 3, Faulty: 2})
	})
	stopped := time.Now()
	w.stop(w.agent)
	if took := time.Since(stopped); took > 2*time.Second {
		t.Errorf("the agent took %v to stop, want at most 2s", took)
	}
	w.stop(w.collector)
}

// exactEflops wants the digits as they stand in the answer, so that nothing is rounded on the way.
func exactEflops(w *world) {
	w.Helper()
	var doc struct {
		Total struct {
			Eflops map[string]json.RawMessage `json:"eflops"`
		} `json:"total"`
	}
	body, err := w.get("/v1/capacity")
	if err == nil {
		err = json.Unmarshal(body, &doc)
	}
	if err != nil {
		w.Fatal(err)
	}
	for state, want := range map[string]string{
		"rated": "0.007916", "online": "0.007916", "healthy": "0.0049475", "busy": "0.0029685", "free": "0.001979",
		"drained": oneCard, "faulty": "0.001979", "stale": "0",
	} {
		if got := string(doc.Total.Eflops[state]); got != want {
			w.Errorf("eflops %s is %s, want %s", state, got, want)
		}
	}
}

// answersAgree wants the command's JSON to be the API's.
func answersAgree(w *world) {
	w.Helper()
	w.eventually(soon, func() error {
		before, err := w.get("/v1/capacity?by=centre")
		if err != nil {
			return err
		}
		said := w.exec("exameter", "capacity", "--collector", "http://"+w.api, "--by", "centre", "-o", "json")
		// Ages grow from fold to fold, so only an answer of one revision can be alike.
		if compact(w, []byte(said)) != compact(w, before) {
			return fmt.Errorf("exameter capacity says\n%s\nthe API says\n%s", said, before)
		}
		return nil
	})
}

func compact(w *world, text []byte) string {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		w.Fatalf("%v in %s", err, text)
	}
	b, err := json.Marshal(v)
	if err != nil {
		w.Fatal(err)
	}
	return string(b)
}

// figuresBy wants the one pool under its names, and nothing beside it.
func figuresBy(w *world) {
	w.Helper()
	doc, err := w.capacity("?by=centre,cluster,vendor,model,class")
	if err != nil {
		w.Fatal(err)
	}
	if len(doc.Groups) != 1 {
		w.Fatalf("%d groups, want 1: %+v", len(doc.Groups), doc.Groups)
	}
	g := doc.Groups[0]
	g.Figure = capacity.Figure{}
	want := capacity.Group{Centre: w.centre, Cluster: "default", Vendor: "nvidia", Model: "nvidia-h200-sxm", Class: "intelligent"}
	if g.Centre != want.Centre || g.Cluster != want.Cluster || g.Vendor != want.Vendor || g.Model != want.Model || g.Class != want.Class {
		w.Errorf("group is %+v, want %+v", g, want)
	}
	total := doc.Total
	if total.Hosts != (capacity.Hosts{Rated: 1, Online: 1}) || total.Coverage == nil || *total.Coverage != 1 {
		w.Errorf("hosts %+v, coverage %v; want 1 of 1", total.Hosts, total.Coverage)
	}
	if total.Utilisation == nil || *total.Utilisation <= 0 || *total.Utilisation > 1 {
		w.Errorf("utilisation is %v, want a share: three cards are at work", total.Utilisation)
	}
	if total.Age == nil || total.Age.Max > w.pace.staleAfter.Seconds() {
		w.Errorf("age is %+v, want at most %v", total.Age, w.pace.staleAfter)
	}
	// Three cards at 640 W; the others idle at 77 W. The lost one's power is unknown.
	if total.PowerW < 3*600 || total.PowerDevices < 6 || total.PowerDevices > 8 {
		w.Errorf("power is %v W of %d devices", total.PowerW, total.PowerDevices)
	}
}

// freedCard holds the product to its promise: free at the API in under two seconds, over and over.
func freedCard(t *testing.T, w *world) {
	freed := map[int]string{0: lost, 1: fatal, 3: busy, 4: busy}
	after := capacity.Devices{Rated: 8, Online: 8, Healthy: 5, Busy: 2, Free: 3, Drained: 1, Faulty: 2}
	var took []time.Duration
	for range 5 {
		w.write("cards", cards(freed))
		took = append(took, w.wantDevices(2*time.Second, after).Round(time.Millisecond))
		w.write("cards", cards(uneven))
		w.wantDevices(2*time.Second, wanted)
	}
	slices.Sort(took)
	t.Logf("a freed card was free at the API after %v", took)
}

// silentHost kills the agent: the host's capacity leaves online, stays in rated, and comes back with the agent.
func silentHost(t *testing.T, w *world) {
	if err := w.agent.Kill(); err != nil {
		t.Fatal(err)
	}
	silence := w.wantDevices(soon, capacity.Devices{Rated: 8, Stale: 8})
	if silence < w.pace.staleAfter/4 {
		t.Errorf("stale after %v already, want about %v after the last report", silence, w.pace.staleAfter)
	}
	doc, err := w.capacity("")
	if err != nil {
		t.Fatal(err)
	}
	if e := doc.Total.Eflops; e.Rated.Eflops() != "0.007916" || e.Stale != e.Rated || e.Online != 0 || e.Free != 0 {
		t.Errorf("eflops of a silent host: %+v", e)
	}
	if c := doc.Total.Coverage; c == nil || *c != 0 {
		t.Errorf("coverage of a silent host is %v, want 0", c)
	}
	w.keeps(time.Second, func() error {
		doc, err := w.capacity("")
		if err == nil && doc.Total.Devices.Free != 0 {
			err = fmt.Errorf("a silent host has %d free devices", doc.Total.Devices.Free)
		}
		return err
	})
	// The new agent finds a lost card and a card that erred before it came: both are remembered, and drained stays so.
	w.startAgent()
	back := w.wantDevices(soon, wanted)
	t.Logf("stale %v after the agent was killed, back %v after its start", silence.Round(time.Millisecond), back.Round(time.Millisecond))
}

// anotherCollector wants the figures of before from one that begins with nothing.
func anotherCollector(t *testing.T, w *world) {
	before, err := w.capacity("")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.collector.Kill(); err != nil {
		t.Fatal(err)
	}
	w.startCollector()
	took := w.wantDevices(soon, before.Total.Devices)
	exactEflops(w)
	if _, err := w.get("/readyz"); err != nil {
		t.Error(err)
	}
	t.Logf("another collector gave the same figures after %v", took.Round(time.Millisecond))
}
