package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/telemetry"
)

// output is what a program writes, readable while it runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) { o.mu.Lock(); defer o.mu.Unlock(); return o.b.Write(b) }

func (o *output) String() string { o.mu.Lock(); defer o.mu.Unlock(); return o.b.String() }

// call runs the program to its end.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs output
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// configFile writes a configuration that reads this host.
func configFile(t *testing.T, brokers []string, extra string) (path, stateDir string) {
	t.Helper()
	dir := t.TempDir()
	stateDir = filepath.Join(dir, "state")
	if err := os.Mkdir(stateDir, 0o755); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "agent.yaml")
	text := fmt.Sprintf("centre: lab\nhost:\n  id: host-1\nkafka:\n  brokers: [%q]\nintervals:\n  sample: 100ms\n  report: 1s\npaths:\n  state: %s\nsources:\n  nvml:\n    enabled: false\n%s",
		strings.Join(brokers, `", "`), stateDir, extra)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, stateDir
}

func lab(t *testing.T) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func createTopics(t *testing.T, brokers []string) {
	t.Helper()
	client := &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: 5 * time.Second}
	if _, err := broker.Create(t.Context(), client, broker.CentreTopics("lab", 2), 1); err != nil {
		t.Fatal(err)
	}
}

func TestCalledWrongly(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("centre: lab\nkafka:\n  brokers: [\"k:9092\"]\nintervals:\n  sample: fast\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"walk":                                "unknown command \"walk\"",
		"run --fast":                          "unknown flag: --fast",
		"run now":                             "unknown command \"now\"",
		"drain":                               "requires at least 1 arg",
		"forget":                              "accepts 1 arg",
		"run --config " + bad:                 bad + ":5:11: \"fast\" is not a length of time",
		"run --config /none/x.yaml":           "/none/x.yaml: no such file",
		"sample --config " + bad:              bad + ":5:11",
		"drain --config " + bad + " x":        bad + ":5:11",
		"drain --device 0 --release-driver x": "does not go with --device",
	} {
		code, stdout, stderr := call(t, strings.Fields(args)...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, stdout %q, stderr %q; want 2 and %q", args, code, stdout, stderr, want)
		}
	}
	if code, _, stderr := call(t, "drain", "two\nlines"); code != 2 || !strings.Contains(stderr, "one line") {
		t.Errorf("code %d, %q", code, stderr)
	}
}

func TestHelpAndVersion(t *testing.T) {
	code, out, _ := call(t, "--help")
	for _, want := range []string{"run", "check", "sample", "drain", "undrain", "forget", "version"} {
		if code != 0 || !strings.Contains(out, "\n  "+want+" ") {
			t.Errorf("code %d, no %s in\n%s", code, want, out)
		}
	}
	if code, out, _ := call(t, "version"); code != 0 || !strings.HasPrefix(out, "exameter-agent dev go1.") {
		t.Errorf("code %d, %q", code, out)
	}
}

func TestSampleIsValidLineProtocol(t *testing.T) {
	path, stateDir := configFile(t, []string{"127.0.0.1:1"}, "")
	code, out, stderr := call(t, "sample", "--config", path, "--cluster", "c1")
	if code != 0 {
		t.Fatalf("code %d: %s", code, stderr)
	}
	i := strings.Index(out, "exameter_host,")
	if i < 0 {
		t.Fatalf("no report in %q", out)
	}
	var d telemetry.Decoder
	var inv telemetry.Inventory
	var rep telemetry.Report
	if err := d.Inventory([]byte(out[:i]), &inv); err != nil {
		t.Errorf("inventory: %v\n%s", err, out[:i])
	}
	if err := d.Report([]byte(out[i:]), &rep); err != nil {
		t.Errorf("report: %v\n%s", err, out[i:])
	}
	if want := (telemetry.Origin{Centre: "lab", Cluster: "c1", Host: "host-1"}); inv.Origin != want || rep.Origin != want {
		t.Errorf("origins %v, %v", inv.Origin, rep.Origin)
	}
	if !rep.CPU.OK || !rep.CPU.Value.UtilizationMean.OK || !rep.Memory.OK || !inv.CPU.OK {
		t.Errorf("report %+v", rep)
	}
	if left, err := os.ReadDir(stateDir); err != nil || len(left) > 0 {
		t.Errorf("sample left %v in the state directory, %v", left, err)
	}
}

func TestSampleNeedsNoConfiguration(t *testing.T) {
	code, out, stderr := call(t, "sample", "--host", "h", "--centre", "somewhere")
	if code != 0 || !strings.HasPrefix(out, "exameter_inventory_host,centre=somewhere,cluster=default,host=h ") {
		t.Errorf("code %d, %q, %s", code, out, stderr)
	}
}

// remember writes what an agent would have seen.
func remember(t *testing.T, dir string) *state.Store {
	t.Helper()
	s := &state.Store{Dir: dir}
	err := s.SaveDevices([]state.Device{
		{Info: telemetry.DeviceInfo{ID: "GPU-a", Index: telemetry.Known[int64](0)}, Source: "nvml"},
		{Info: telemetry.DeviceInfo{ID: "GPU-b", Index: telemetry.Known[int64](1)}, Source: "nvml", Missing: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOrders(t *testing.T) {
	dir := t.TempDir()
	s := remember(t, dir)
	do := func(wantCode int, want string, args ...string) {
		t.Helper()
		code, out, errs := call(t, append(args, "--state", dir)...)
		if code != wantCode || !strings.Contains(out+errs, want) {
			t.Errorf("%v: code %d, %q; want %d and %q", args, code, out+errs, wantCode, want)
		}
	}
	do(0, "this host is drained: change of fans", "drain", "change", "of", "fans", "--release-driver")
	do(0, "device GPU-a is drained: noise", "drain", "--device", "0", "noise")
	do(1, `device "7" is not known; the agent has seen GPU-a, GPU-b`, "drain", "-d", "7", "noise")
	o, _, err := s.Orders()
	if err != nil || o.Host == nil || o.Host.Reason != "change of fans" || !o.ReleaseDriver() || o.Devices["GPU-a"].Reason != "noise" {
		t.Fatalf("orders %+v, %v", o, err)
	}
	do(0, "this host is no longer drained; still drained by orders of their own: GPU-a", "undrain")
	do(0, "device GPU-a is no longer drained", "undrain", "--device", "GPU-a")
	do(0, "this host was not drained; faults that stuck are declared over", "undrain")
	do(1, "device GPU-a is there", "forget", "GPU-a")
	do(0, "device GPU-b is forgotten", "forget", "GPU-b")
	if o, _, err = s.Orders(); err != nil || o.Host != nil || len(o.Devices) != 0 || o.Acknowledged[""].IsZero() || o.Forgotten["GPU-b"].IsZero() {
		t.Errorf("orders %+v, %v", o, err)
	}
}

func TestOrdersInPlainWords(t *testing.T) {
	code, _, errs := call(t, "drain", "x", "--state", filepath.Join(t.TempDir(), "none"))
	if code != 1 || !strings.Contains(errs, "no agent has run on this host") {
		t.Errorf("code %d, %q", code, errs)
	}
	code, _, errs = call(t, "drain", "x", "--state", "/proc/self") // where not even root may write
	if code != 1 || !strings.Contains(errs, "/proc") {
		t.Errorf("code %d, %q", code, errs)
	}
	if os.Getuid() == 0 {
		return // root may write everywhere else
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	code, _, errs = call(t, "drain", "x", "--state", dir)
	if code != 1 || !strings.Contains(errs, "try again as root") {
		t.Errorf("code %d, %q", code, errs)
	}
}

func TestCheck(t *testing.T) {
	c := lab(t)
	path, _ := configFile(t, c.ListenAddrs(), "")
	code, out, _ := call(t, "check", "--config", path)
	for _, want := range []string{"FAIL  topic ", "exameter.v1.inventory.lab does not exist", "exameter topics create --centre lab", ": answers; the cluster has 1"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("before the topics: code %d, no %q in\n%s", code, want, out)
		}
	}
	createTopics(t, c.ListenAddrs())
	code, out, _ = call(t, "check", "--config", path)
	for _, want := range []string{
		"ok    configuration ", "host host-1", "ok    state ", "ok    source cpu ", "ok    source memory ", "ok    source host ",
		"exameter.v1.telemetry.lab: 2 partitions, may be written to",
	} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("code %d, no %q in\n%s", code, want, out)
		}
	}
	if strings.Contains(out, "LogAppendTime") {
		t.Errorf("topics as made by this project are complained about:\n%s", out)
	}
	path, _ = configFile(t, []string{"127.0.0.1:1"}, "")
	if code, out, _ = call(t, "check", "--config", path); code != 1 || !strings.Contains(out, "nothing listens there") {
		t.Errorf("code %d\n%s", code, out)
	}
}

func TestCheckWithAWrongConfiguration(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("centr: lab\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := call(t, "check", "--config", bad)
	if code != 1 || !strings.Contains(out, bad+":1:1: unknown field") || !strings.Contains(out, "source cpu") {
		t.Errorf("code %d\n%s", code, out)
	}
}

func TestCheckSaysThatTheHostIsDrained(t *testing.T) {
	path, dir := configFile(t, []string{"127.0.0.1:1"}, "")
	if code, _, errs := call(t, "drain", "--config", path, "fans"); code != 0 {
		t.Fatal(errs)
	}
	if _, out, _ := call(t, "check", "--config", path); !strings.Contains(out, ": fans\n") || !strings.Contains(out, "undrain") {
		t.Errorf("state %s:\n%s", dir, out)
	}
}

// listening is systemd, which hears what a service says.
func listening(t *testing.T) func() string {
	t.Helper()
	addr := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: addr, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	t.Setenv("NOTIFY_SOCKET", addr)
	heard := &output{}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := l.Read(b)
			if err != nil {
				return
			}
			fmt.Fprintf(heard, "%s\n", b[:n])
		}
	}()
	return heard.String
}

func wait(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}

func TestRun(t *testing.T) {
	heard := listening(t)
	t.Setenv("WATCHDOG_USEC", "300000")
	t.Setenv("GOMAXPROCS", "2")
	t.Setenv("GOGC", "100")
	c := lab(t)
	createTopics(t, c.ListenAddrs())
	path, _ := configFile(t, c.ListenAddrs(), "log:\n  format: json\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs output
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"run", "--config", path}, &out, &errs) }()
	wait(t, "READY and WATCHDOG", func() bool { return strings.Contains(heard(), "READY=1") && strings.Contains(heard(), "WATCHDOG=1") })

	// A wrong configuration changes nothing; the next right one does.
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	hup := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hup("centre: 7\nnonsense: true\n")
	wait(t, "a complaint", func() bool { return strings.Contains(errs.String(), "was not reloaded") })
	hup(strings.Replace(string(good), "report: 1s", "report: 2s", 1))
	wait(t, "the reload", func() bool { return strings.Contains(errs.String(), `"configuration reloaded"`) })
	wait(t, "RELOADING", func() bool { return strings.Contains(heard(), "RELOADING=1\nMONOTONIC_USEC=") })

	at := time.Now()
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("code %d:\n%s", code, &errs)
	}
	if d := time.Since(at); d > 2*time.Second {
		t.Errorf("stopped after %v", d)
	}
	wait(t, "STOPPING", func() bool { return strings.Contains(heard(), "STOPPING=1") })
}

// TestStaysSmall holds the program to what it must not carry.
func TestStaysSmall(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range strings.Fields(string(out)) {
		if strings.Contains(p, "google.golang.org/protobuf") || strings.Contains(p, "client_golang") || strings.Contains(p, "franz-go") || strings.Contains(p, "exameter/collector") || strings.Contains(p, "exameter/catalog") {
			t.Errorf("the agent links %s", p)
		}
	}
}
