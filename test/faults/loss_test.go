package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/collector/capacity"
)

// TestPacketLoss loses a fifth of all packets to and from the broker, one by one and in both directions, in a network of its own: whatever comes late,
// no answer has devices that are not there, or lacks any, and all is exact once the network is whole.
func TestPacketLoss(t *testing.T) {
	if os.Getenv("EXAMETER_LOSS") == "" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "--net", self, "-test.run", "^TestPacketLoss$", "-test.v")
		cmd.Env = append(os.Environ(), "EXAMETER_LOSS=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestPacketLoss") {
			t.Fatalf("%v\n%s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "packets") {
				t.Log(strings.TrimSpace(line))
			}
		}
		return
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("ip", "link", "set", "lo", "up")
	w := newWorld(t, 300)
	_, port, _ := strings.Cut(w.brokers[0], ":")
	run("nft", "add table ip loss; add chain ip loss in { type filter hook input priority 0; }")
	for _, side := range []string{"dport", "sport"} {
		run("nft", "add rule ip loss in tcp "+side+" "+port+" numgen random mod 100 < 20 counter drop")
	}
	rated, flagged, asked := w.truth().Rated, 0, 0
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(50 * time.Millisecond) {
		body, err := w.get(http.DefaultClient, "/v1/capacity")
		if err != nil {
			t.Fatal(err)
		}
		var doc capacity.Document
		if err := json.Unmarshal(body, &doc); err != nil {
			t.Fatal(err)
		}
		d := doc.Total.Devices
		if d.Rated != rated || d.Online+d.Stale != d.Rated || d.Healthy+d.Drained+d.Faulty != d.Online || d.Busy+d.Free != d.Healthy {
			t.Fatalf("with packets lost: %+v, of %d", d, rated)
		}
		if asked++; doc.Parts.Behind > 0 || d.Stale > 0 || doc.Total.Age != nil && doc.Total.Age.Max > 10 {
			flagged++
		}
	}
	lost := 0
	for line := range strings.Lines(run("nft", "list table ip loss")) {
		if _, after, found := strings.Cut(line, "counter packets "); found {
			n, _, _ := strings.Cut(after, " ")
			one, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(err)
			}
			lost += one
		}
	}
	run("nft", "flush chain ip loss in")
	took := w.eventually(soon, func() error { return w.exact(http.DefaultClient) })
	if lost < 100 {
		t.Errorf("%d packets were lost, which is no loss", lost)
	}
	fmt.Printf("%d packets lost in 20s; %d of %d answers said that they rest on something old; exact %v after the network was whole\n", lost, flagged, asked, took.Round(time.Millisecond))
}
