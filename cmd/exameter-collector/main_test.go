package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/internal/check"
	"github.com/exameter/exameter/internal/language/languagetest"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/process"
)

func TestEverythingIsSaidInChinese(t *testing.T) {
	languagetest.Complete(t, ".", chinese, nil, languagetest.Report...)
}

// call runs the program and returns its exit code and what it printed.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"bogus"}, {"run", "--nope"}, {"check", "extra"}} {
		if code, _, stderr := call(t, args...); code != 2 || !strings.Contains(stderr, "--help") {
			t.Errorf("%v: exit code %d, said %q", args, code, stderr)
		}
	}
	if code, stdout, _ := call(t, "--help"); code != 0 || !strings.Contains(stdout, "SIGHUP") {
		t.Errorf("--help: exit code %d, said %q", code, stdout)
	}
	if code, stdout, _ := call(t, "version"); code != 0 || !strings.HasPrefix(stdout, "exameter-collector ") {
		t.Errorf("version: exit code %d, said %q", code, stdout)
	}
}

func TestBadConfiguration(t *testing.T) {
	path := file(t, "collector.yaml", "http:\n  listne: x\n")
	for command, want := range map[string]int{"run": 2, "check": 1} {
		code, stdout, stderr := call(t, command, "--config", path)
		if code != want || !strings.Contains(stdout+stderr, path+":2") {
			t.Errorf("%s: exit code %d, said %q and %q", command, code, stdout, stderr)
		}
	}
	if code, _, stderr := call(t, "run", "--config", "/does/not/exist.yaml"); code != 2 || !strings.Contains(stderr, "no such file") {
		t.Errorf("a missing file: exit code %d, said %q", code, stderr)
	}
}

func TestCheck(t *testing.T) {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	topic := func(name string, partitions int32, time string) {
		if err := broker.CreateTopic(name, partitions, map[string]string{"message.timestamp.type": time}); err != nil {
			t.Fatal(err)
		}
	}
	topic(telemetry.PartialsTopic, 1, "LogAppendTime")
	topic(telemetry.InventoryTopic("good"), 2, "LogAppendTime")
	topic(telemetry.TelemetryTopic("good"), 2, "LogAppendTime")
	topic(telemetry.InventoryTopic("stranger"), 1, "LogAppendTime")
	topic(telemetry.TelemetryTopic("stranger"), 1, "CreateTime")
	reg := file(t, "registry.yaml", "centres:\n  - id: good\n  - id: bare\n  - id: later\n    status: planned\n")
	conf := file(t, "collector.yaml", "kafka: {brokers: ['"+broker.ListenAddrs()[0]+"']}\nregistry: "+reg+"\nhttp: {listen: '"+process.FreeAddr(t)+"'}\n")
	code, stdout, stderr := call(t, "check", "-c", conf)
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d, said %q", code, stderr)
	}
	for _, want := range []string{
		"ok    configuration     " + conf, "ok    registry          " + reg + ": 3 centres", "ok    catalogue         version 20", ": answers",
		"ok    centre good       2 partitions each", "warn  centre bare       stands in the registry and has no topics", "ok    centre later      is planned",
		"warn  centre stranger   does not stand in the registry", "does not use LogAppendTime", "exameter.v1.quarantine does not exist",
		"ok    group             exameter-collector: 0 collectors", "exameter topics create --centre bare",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("check does not say %q:\n%s", want, stdout)
		}
	}
	topic(telemetry.InventoryTopic("half"), 1, "LogAppendTime")
	topic(telemetry.InventoryTopic("uneven"), 1, "LogAppendTime")
	topic(telemetry.TelemetryTopic("uneven"), 2, "LogAppendTime")
	topic(telemetry.InventoryTopic("wide"), 3, "LogAppendTime")
	topic(telemetry.TelemetryTopic("wide"), 2, "LogAppendTime")
	code, stdout, _ = call(t, "check", "-c", conf)
	for _, want := range []string{
		"FAIL  centre half       has one of its two topics", "FAIL  centre uneven     inventory has 1 partitions and telemetry 2",
		"delete " + telemetry.InventoryTopic("uneven"), "FAIL  centre wide       inventory has 3 partitions and telemetry 2",
		"kafka-topics.sh --alter --topic " + telemetry.TelemetryTopic("wide") + " --partitions 3",
	} {
		if code != 1 || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d, without %q:\n%s", code, want, stdout)
		}
	}
	broker.Close()
	code, stdout, _ = call(t, "check", "-c", conf)
	if code != 1 || !strings.Contains(stdout, "nothing listens there") {
		t.Errorf("without a broker: exit code %d:\n%s", code, stdout)
	}
}

// TestRunStops is stopped before a broker ever answers, which is no failure.
func TestRunStops(t *testing.T) {
	conf := file(t, "collector.yaml", "kafka: {brokers: ['127.0.0.1:1']}\nhttp: {listen: '127.0.0.1:0'}\n")
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	errs := &watched{word: "collector answers", found: cancel}
	if code := run(ctx, []string{"run", "-c", conf}, &out, errs); code != 0 || !strings.Contains(errs.String(), "collector stopped") {
		t.Errorf("exit code %d, said %s", code, errs)
	}
}

// watched calls found once a word was written to it. The logger writes one line at a time.
type watched struct {
	bytes.Buffer
	word  string
	found func()
}

func (w *watched) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.word)) {
		w.found()
	}
	return w.Buffer.Write(p)
}

func TestCheckOfAnAddressThatIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conf := file(t, "collector.yaml", "kafka: {brokers: ['127.0.0.1:1']}\nhttp: {listen: '"+l.Addr().String()+"'}\n")
	code, stdout, _ := call(t, "check", "-c", conf, "--only", "http")
	if code != 1 || !strings.Contains(stdout, "is taken by another program") || strings.Contains(stdout, "broker") {
		t.Errorf("exit code %d:\n%s", code, stdout)
	}
	// Where the collector runs, it is the one that has taken it.
	var out bytes.Buffer
	p := &program{stdout: &out, stderr: &out, process: check.Process{Shown: func(context.Context, string) (string, error) {
		return "LoadState=loaded\nActiveState=active\nWatchdogUSec=30s\n", nil
	}}}
	if code := p.call(t.Context(), []string{"check", "-c", conf, "--only", "http,service"}); code != 0 || !strings.Contains(out.String(), "by the collector that runs") {
		t.Errorf("exit code %d:\n%s", code, &out)
	}
}

func TestCheckOfAnAddressThatOthersCannotReach(t *testing.T) {
	for c, want := range map[collector.HTTP]bool{
		{Listen: "127.0.0.1:8470"}:                              true,
		{Listen: "0.0.0.0:8470", Advertise: "localhost:8470"}:   true,
		{Listen: "0.0.0.0:8470"}:                                false,
		{Listen: "127.0.0.1:8470", Advertise: "gy-c1:8470"}:     false,
		{Listen: "127.0.0.1:8470", Advertise: "192.0.2.1:8470"}: false,
	} {
		for members, several := range map[int]bool{0: false, 1: false, 2: true} {
			var out bytes.Buffer
			reachable(&check.Report{Out: &out}, c, members)
			if got := strings.Contains(out.String(), "→ name an address"); got != (want && several) {
				t.Errorf("%+v among %d: %q", c, members, &out)
			}
		}
	}
}
