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
	for name, c := range map[string]struct {
		config string
		status string
		only   string
		broken bool
	}{
		"check without accelerators": {status: "reports this host; no accelerator is known"},
		"check with NVIDIA cards":    {config: "sources: {nvml: {library: " + library + "}}\n", status: "reports 8 accelerators: 3 free, 3 busy, 0 drained, 2 faulty"},
		"check of a wrong file":      {config: "intervals: {report: fast}\n", only: "configuration"},
		"check of what is broken":    {broken: true},
	} {
		begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
		i, j := strings.Index(want, begin), strings.Index(want, end)
		if i < 0 || j < i {
			t.Fatalf("%s has no place for %s", path, name)
		}
		want = want[:i+len(begin)] + "```\n" + checkOfRecordedMachine(t, c.config, c.status, c.only, c.broken, library) + "```\n" + want[j:]
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

// checkOfRecordedMachine is what check says on a server of the recorded ones, with some configuration beside what is always needed, whose unit has a status. On a
// broken one the machine id and the state directory are gone, no broker listens, and everybody can read the password.
func checkOfRecordedMachine(t *testing.T, config, status, only string, broken bool, library string) string {
	t.Helper()
	root := kernelfiletest.Machine(t, "xeon")
	broker := "127.0.0.1:1"
	shown := "LoadState=loaded\nActiveState=active\nWatchdogUSec=30s\nNRestarts=0\nUnitFileState=enabled\nStatusText=" + status + "\n"
	if broken {
		for _, err := range []error{
			os.Remove(filepath.Join(root, "etc/machine-id")), os.WriteFile(filepath.Join(root, "password"), []byte("secret\n"), 0o644),
			os.Chmod(filepath.Join(root, "password"), 0o644),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		config = "  sasl: {mechanism: SCRAM-SHA-512, username: lab, password_file: " + root + "/password}\nsources: {nvml: {enabled: true}}\nqueue: {bytes: 64MiB}\n"
		shown = "LoadState=loaded\nActiveState=failed\nResult=exit-code\nNRestarts=20\n"
	} else {
		if err := os.Mkdir(filepath.Join(root, "state"), 0o755); err != nil {
			t.Fatal(err)
		}
		c := lab(t)
		createTopics(t, c.ListenAddrs())
		broker = c.ListenAddrs()[0]
	}
	const paths = "paths: {proc: %[1]s/proc, sys: %[1]s/sys, etc: %[1]s/etc, state: %[1]s/state}\n"
	file := filepath.Join(root, "agent.yaml")
	text := "centre: lab\ncluster: default\nkafka:\n  brokers: [" + broker + "]\n" + config + fmt.Sprintf(paths, root)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out output
	p := &program{stdout: &out, stderr: &out, process: check.Process{Shown: func(context.Context, string) (string, error) {
		return shown, nil
	}}}
	args := []string{"check", "--config", file}
	if only != "" {
		args = append(args, "--only", only)
	}
	p.call(t.Context(), args)
	said := out.String()
	for _, m := range [][2]string{
		{file, defaultPath},
		{root + "/state", "/var/lib/exameter-agent"},
		{root + "/password", "/etc/exameter/kafka-password"},
		{root, ""},
		{broker, "kafka-1:9092"},
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
