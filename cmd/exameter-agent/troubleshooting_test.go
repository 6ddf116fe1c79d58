package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/exameter/exameter/agent/kernelfile/kernelfiletest"
	"github.com/exameter/exameter/internal/check"
)

// TestTroubleshootingDocs holds the outputs of check in docs/troubleshooting.md against those of the program, on a recorded machine. What
// differs from one machine or moment to the next is masked.
func TestTroubleshootingDocs(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	const path = "../../docs/troubleshooting.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("make", "-s", "-C", "../../test/nvmlsim").CombinedOutput(); err != nil {
		t.Fatalf("build the simulated driver library: %v\n%s", err, out)
	}
	library, err := filepath.Abs("../../test/nvmlsim/libnvidia-ml-sim.so")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("EXAMETER_NVMLSIM", filepath.Join(filepath.Dir(library), "scenarios/h200-mixed.conf"))
	want := string(b)
	for name, config := range map[string]string{
		"check without accelerators": "",
		"check with NVIDIA cards":    "sources: {nvml: {library: " + library + "}}\n",
		"check of what is broken":    "intervals: {report: fast}\n",
	} {
		begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
		i, j := strings.Index(want, begin), strings.Index(want, end)
		if i < 0 || j < i {
			t.Fatalf("%s has no place for %s", path, name)
		}
		want = want[:i+len(begin)] + "```\n" + checkOfRecordedMachine(t, config, library) + "```\n" + want[j:]
	}
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(b) {
		t.Errorf("%s is not what check says: run make docs, and look at the difference", path)
	}
}

// checkOfRecordedMachine is what check says on a server of the recorded ones, with some configuration beside what is always needed.
func checkOfRecordedMachine(t *testing.T, config, library string) string {
	t.Helper()
	root := kernelfiletest.Machine(t, "xeon")
	if err := os.Mkdir(filepath.Join(root, "state"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := lab(t)
	createTopics(t, c.ListenAddrs())
	const paths = "paths: {proc: %[1]s/proc, sys: %[1]s/sys, etc: %[1]s/etc, state: %[1]s/state}\n"
	file := filepath.Join(root, "agent.yaml")
	text := "centre: lab\ncluster: default\nkafka:\n  brokers: [" + c.ListenAddrs()[0] + "]\n" + config + fmt.Sprintf(paths, root)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out output
	p := &program{stdout: &out, stderr: &out, process: check.Process{Shown: func(context.Context, string) (string, error) {
		return "LoadState=loaded\nActiveState=active\nWatchdogUSec=30s\nNRestarts=0\nUnitFileState=enabled\nStatusText=reports this host\n", nil
	}}}
	p.call(t.Context(), []string{"check", "--config", file})
	said := out.String()
	for _, m := range [][2]string{
		{file, defaultPath},
		{root + "/state", "/var/lib/exameter-agent"},
		{root, ""},
		{c.ListenAddrs()[0], "kafka-1:9092"},
		{library, "libnvidia-ml.so.1"},
	} {
		said = strings.ReplaceAll(said, m[0], m[1])
	}
	return masked(said)
}

var (
	volatile = regexp.MustCompile(`[0-9.]+ W\b|utilisation [0-9.]+ %|error of the clock at most (?:[0-9]+ ms|unknown)|, arm64$|, aarch64$|, x86_64$`)
	unkept   = regexp.MustCompile(`(?m)^warn  source host .*clock right.*\n.*→.*\n`)
	sum      = regexp.MustCompile(`To be looked at: ([0-9]+)\.`)
)

// masked hides what depends on the machine that the test runs on: measured values, and whether somebody keeps its clock right.
func masked(said string) string {
	said = volatile.ReplaceAllStringFunc(said, func(s string) string {
		digits := regexp.MustCompile(`[0-9.]+ (W|%|ms)|unknown|arm64|aarch64|x86_64`)
		return digits.ReplaceAllString(s, "…")
	})
	if !unkept.MatchString(said) {
		return said
	}
	said = unkept.ReplaceAllString(said, "")
	said = sum.ReplaceAllStringFunc(said, func(s string) string {
		n, _ := strconv.Atoi(sum.FindStringSubmatch(s)[1])
		return fmt.Sprintf("To be looked at: %d.", n-1)
	})
	return strings.Replace(said, "It works. To be looked at: 0.", "Everything is in place.", 1)
}
