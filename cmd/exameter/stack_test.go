package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/sim"
	"github.com/exameter/exameter/test/process"
)

// sums adds up the groups of a capacity document by decimal arithmetic of its own, and holds them against the total.
func sums(t *testing.T, document string) {
	t.Helper()
	var doc struct {
		Total  map[string]json.RawMessage
		Groups []map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(document), &doc); err != nil {
		t.Fatalf("%v: %.200s", err, document)
	}
	numbers := func(m map[string]json.RawMessage, part string) map[string]json.Number {
		var n map[string]json.Number
		if err := json.Unmarshal(m[part], &n); err != nil {
			t.Fatalf("%s: %v", part, err)
		}
		return n
	}
	for _, part := range []string{"devices", "eflops", "hosts"} {
		sum := map[string]*big.Rat{}
		for _, g := range doc.Groups {
			for k, v := range numbers(g, part) {
				r, ok := new(big.Rat).SetString(v.String())
				if !ok {
					t.Fatalf("%s.%s: %s", part, k, v)
				}
				if sum[k] == nil {
					sum[k] = new(big.Rat)
				}
				sum[k].Add(sum[k], r)
			}
		}
		total := numbers(doc.Total, part)
		if len(total) == 0 || len(total) != len(sum) {
			t.Errorf("%s: the total has %d numbers, the groups %d", part, len(total), len(sum))
		}
		for k, v := range total {
			if want, _ := new(big.Rat).SetString(v.String()); sum[k] == nil || want.Cmp(sum[k]) != 0 {
				t.Errorf("%s.%s: the groups add up to %v, the total is %s", part, k, sum[k], v)
			}
		}
	}
}

func group(doc *capacity.Document, centre string) *capacity.Group {
	for i := range doc.Groups {
		if doc.Groups[i].Centre == centre {
			return &doc.Groups[i]
		}
	}
	return nil
}

func TestDemo(t *testing.T) {
	const hosts = 240
	out, said, status := exameter(t, "demo", "--hosts", "240", "--for", "2s", "-o", "json", "--listen", "127.0.0.1:0")
	if status != 0 {
		t.Fatalf("status %d: %s", status, said)
	}
	if strings.Count(out, "\n") != 1 || strings.TrimSpace(out) == "" {
		t.Fatalf("want one line alone, got %q", out)
	}
	sums(t, out)
	doc, err := parseDocument([]byte(out))
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.By) != 1 || doc.By[0] != "centre" || doc.Kind != "all" || len(doc.Groups) != len(sim.DefaultCentres())+1 {
		t.Errorf("by %v, kind %s, %d groups", doc.By, doc.Kind, len(doc.Groups))
	}
	d := doc.Total.Devices
	if doc.Total.Hosts.Rated != hosts+1 || d.Busy == 0 || d.Free == 0 || d.Unpriced == 0 || d.Rated != d.Busy+d.Free+d.Drained+d.Faulty+d.Stale {
		t.Errorf("total %+v", doc.Total)
	}
	if c := doc.Total.Coverage; c == nil || *c != 1 || doc.Total.Hosts.Online != hosts+1 {
		t.Errorf("%d of %d hosts online", doc.Total.Hosts.Online, hosts+1)
	}
	if !strings.Contains(said, "own ledger says the same") {
		t.Errorf("said %s", said)
	}
	// 240 hosts are about a 88th of the default, which makes about 85 Eflops.
	if r := doc.Total.Eflops.Rated; r < 9*capacity.Eflop/10 || r > 11*capacity.Eflop/10 {
		t.Errorf("rated %s Eflops", r.Eflops())
	}
	me := group(doc, thisMachine)
	if me == nil || me.Hosts.Rated != 1 || me.Hosts.Online != 1 || me.Devices.Online < 1 {
		t.Errorf("this machine: %+v", me)
	}
	name, err := os.Hostname()
	if err != nil || !strings.Contains(said, "This machine: "+name) || !strings.Contains(said, "core") || !strings.Contains(said, "/metrics") {
		t.Errorf("said %s", said)
	}
}

// The collector counts supercomputers by FP64 and farms for rendering by FP32, as the registry declares them, to the last
// digit of the ledger.
func TestDemoCountsAsDeclared(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	p, err := sim.New(sim.Spec{Seed: 2, Hosts: 400, Interval: time.Second, Calm: true}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	o := stackOptions{
		topics: localbroker.Bounded(centresTopics(p.Centres(), 1), demoKeeps), collector: collector.DefaultConfig(), anyPort: true,
		registry: demoRegistry(), log: textLog(io.Discard, 0),
	}
	o.collector.HTTP.Listen = "127.0.0.1:0"
	s, err := startStack(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}()
	_, halt := s.simulate(p)
	c, err := ledgerClient(s.api, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, func() error {
		doc, err := c.capacity(ctx, demoQuery)
		if err == nil && doc.Total.Hosts.Online != 400 {
			err = fmt.Errorf("%d hosts are online", doc.Total.Hosts.Online)
		}
		return err
	})
	halt() // cores at work are up to a second old while they change
	eventually(t, 20*time.Second, func() error {
		doc, err := c.capacity(ctx, demoQuery)
		if err != nil {
			return err
		}
		books := p.Books(doc.AsOf, staleAfter)
		byKind := books.Summary(catalog.Default())
		books.Declared = true
		want := books.Summary(catalog.Default())
		if doc.Total.Hosts.Rated != 400 || doc.Total.Devices != want.Total.Devices || doc.Total.Eflops != want.Total.Eflops {
			return fmt.Errorf("the collector says %+v %+v, the ledger %+v %+v", doc.Total.Devices, doc.Total.Eflops, want.Total.Devices, want.Total.Eflops)
		}
		if want.Total.Eflops.Rated == byKind.Total.Eflops.Rated {
			return fmt.Errorf("nothing is counted as declared: %s Eflops either way", want.Total.Eflops.Rated.Eflops())
		}
		return nil
	})
}

func TestDemoTable(t *testing.T) {
	out, said, status := exameter(t, "demo", "--hosts", "60", "--for", "1s", "--listen", "127.0.0.1:0")
	if status != 0 || !strings.HasPrefix(out, "CENTRE ") || !strings.Contains(out, "\n"+thisMachine) || !strings.Contains(out, "\ntotal ") || strings.Contains(out, "\x1b") {
		t.Errorf("status %d, said %s, printed\n%s", status, said, out)
	}
}

func TestDemoStopsWithinTwoSeconds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan time.Time, 1)
	time.AfterFunc(3*time.Second, func() { stopped <- time.Now(); cancel() })
	_, said, status := exameterUntil(ctx, "demo", "--hosts", "300", "--listen", "127.0.0.1:0")
	if took := time.Since(<-stopped); status != 0 || took > 2*time.Second {
		t.Errorf("status %d after %s: %s", status, took, said)
	}
}

func TestDemoSaysWhatIsTaken(t *testing.T) {
	b, err := localbroker.Start(localbroker.Options{}) // anything that listens
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, said, status := exameter(t, "demo", "--hosts", "20", "--listen", b.Addr()); status != 1 || strings.Count(said, "address already in use") != 1 {
		t.Errorf("status %d: %s", status, said)
	}
}

func TestTopicsAndSimulate(t *testing.T) {
	b, err := localbroker.Start(localbroker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	out, said, status := exameter(t, "topics", "create", "--brokers", b.Addr(), "--centre", "guian-north,zunyi-east,guian-north", "--partitions", "2", "--replicas", "1")
	if status != 0 || strings.Count(out, "made exameter.v1.") != 7 {
		t.Fatalf("status %d: %s%s", status, out, said)
	}
	file := filepath.Join(t.TempDir(), "kafka.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "kafka:\n  brokers: [%q]\n", b.Addr()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, said, status = exameter(t, "topics", "create", "--kafka", file, "--centre", "zunyi-east,bijie-west", "--partitions", "2", "--replicas", "1")
	if status != 0 || strings.Count(out, "made exameter.v1.") != 2 || !strings.Contains(out, "5 topics existed") {
		t.Errorf("status %d: %s%s", status, out, said)
	}
	out, said, status = exameter(t, "simulate", "--kafka", file, "--centres", "zunyi-east,bijie-west", "--hosts", "70", "--interval", "1s", "--for", "3s", "-o", "json")
	if status != 0 {
		t.Fatalf("status %d: %s", status, said)
	}
	var ledger struct {
		Hosts   capacity.Hosts
		Total   sim.Figures
		Centres []sim.CentreFigures
		Counts  sim.Counts
	}
	if err := json.Unmarshal([]byte(out), &ledger); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if ledger.Hosts.Rated != 70 || len(ledger.Centres) != 2 || ledger.Counts.Records < 200 || ledger.Counts.Failures != 0 || ledger.Total.Eflops.Busy == 0 {
		t.Errorf("ledger %+v", ledger)
	}
	if got := ledger.Centres[0].Eflops.Rated + ledger.Centres[1].Eflops.Rated; got != ledger.Total.Eflops.Rated {
		t.Errorf("centres add up to %s of %s", got.Eflops(), ledger.Total.Eflops.Rated.Eflops())
	}
	if _, said, status := exameter(t, "simulate", "--brokers", b.Addr(), "--centres", "anshun-north", "--hosts", "5", "--for", "2s"); status != 1 || !strings.Contains(said, "no record was acknowledged") {
		t.Errorf("without topics: status %d: %s", status, said)
	}
}

func TestTopicsPrint(t *testing.T) {
	out, said, status := exameter(t, "topics", "create", "--centre", "guian-north", "--partitions", "12", "--print")
	if status != 0 || said != "" {
		t.Fatalf("status %d: %s", status, said)
	}
	golden(t, "topics.txt", out)
}

// standalone starts the program in a process of its own.
func standalone(t *testing.T, dir, kafka, listen string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	args := []string{"standalone", "--data", dir, "--centre", "zunyi-east,bijie-west,zunyi-east", "--listen-kafka", kafka, "--listen", listen}
	cmd.Env = append(os.Environ(), child+"="+strings.Join(args, "\n"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	r := bufio.NewReader(out)
	first, err := r.ReadString('\n')
	if err != nil || !strings.Contains(first, kafka) || !strings.Contains(first, dir) {
		t.Fatalf("said %q, %v", first, err)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return cmd
}

func TestStandaloneKeepsTheFleet(t *testing.T) {
	const hosts = 60
	dir, kafka, listen := t.TempDir(), process.FreeAddr(t), process.FreeAddr(t)
	var centres []sim.Centre
	for _, c := range sim.DefaultCentres() {
		if c.ID == "zunyi-east" || c.ID == "bijie-west" {
			centres = append(centres, c)
		}
	}
	p, err := sim.New(sim.Spec{Seed: 4, Hosts: hosts, Centres: centres, Interval: time.Second}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c, err := ledgerClient(listen, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	agrees := func() error {
		doc, err := c.capacity(t.Context(), demoQuery)
		if err != nil {
			return err
		}
		want := p.Books(doc.AsOf, staleAfter).Summary(catalog.Default())
		if doc.Total.Hosts != want.Hosts || doc.Total.Devices != want.Total.Devices || doc.Total.Eflops != want.Total.Eflops || want.Hosts.Rated != hosts {
			return fmt.Errorf("the collector says %+v %+v, the ledger %+v %+v", doc.Total.Hosts, doc.Total.Devices, want.Hosts, want.Total.Devices)
		}
		return nil
	}
	cmd := standalone(t, dir, kafka, listen)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	d := &sim.Driver{Province: p, Broker: broker.Config{Brokers: []string{kafka}}, Log: textLog(io.Discard, 0)}
	if err := d.Run(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, agrees)
	// Whether it is asked to stop or killed: everything that was acknowledged is there again.
	for _, end := range []os.Signal{os.Kill, os.Interrupt, os.Kill} {
		if err := cmd.Process.Signal(end); err != nil {
			t.Fatal(err)
		}
		if end == os.Interrupt { // as timeout(1) sends it: to the program, and to its group
			time.Sleep(2 * time.Millisecond)
			_ = cmd.Process.Signal(end)
		}
		if err := cmd.Wait(); (err == nil) != (end == os.Interrupt) {
			t.Errorf("after %s: %v", end, err)
		}
		cmd = standalone(t, dir, kafka, listen)
		eventually(t, 15*time.Second, agrees)
	}
}
