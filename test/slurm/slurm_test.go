// Package slurm hands what the command exports to a real Slurm, as Debian packages it.
package slurm

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/test/process"
)

const cache = "../../.cache/slurm"

// installed is the one file below the cache that a pattern finds.
func installed(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(cache, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s in %s: run make slurm", pattern, cache)
	}
	path, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// cluster is a controller of four nodes that nobody runs.
type cluster struct {
	t   *testing.T
	env []string
}

func start(t *testing.T) *cluster {
	t.Helper()
	dir, addr := t.TempDir(), process.FreeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	plugins := installed(t, "usr/lib/*/slurm-wlm")
	conf := filepath.Join(dir, "slurm.conf")
	text := fmt.Sprintf(`ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=%s
CommunicationParameters=NoCtldInAddrAny
SlurmUser=%s
AuthType=auth/none
CredType=cred/none
PluginDir=%s
StateSaveLocation=%s
SlurmctldPidFile=%s
SelectType=select/cons_tres
MpiDefault=none
ProctrackType=proctrack/linuxproc
GresTypes=gpu
NodeName=gpu-[1-4] NodeAddr=127.0.0.1 CPUs=128 RealMemory=1000000 Gres=gpu:8
PartitionName=train Nodes=gpu-[1-4] Default=YES
`, port, me.Username, plugins, dir, filepath.Join(dir, "pid"))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, env: []string{"SLURM_CONF=" + conf, "LD_LIBRARY_PATH=" + filepath.Dir(plugins) + ":" + plugins}}
	p, err := process.Start(filepath.Join(dir, "log"), c.env, installed(t, "usr/sbin/slurmctld*"), "-c", "-D", "-f", conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log of the controller:\n%s", p.Log())
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		if _, err := c.run("scontrol", "", "ping"); err == nil {
			return c
		}
		if time.Now().After(deadline) || !p.Running() {
			t.Fatal("the controller does not answer")
		}
	}
}

// run runs one of Slurm's commands.
func (c *cluster) run(name, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(c.t.Context(), installed(c.t, "usr/bin/"+name), args...)
	cmd.Env, cmd.Stdin = append(os.Environ(), c.env...), strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestDrain has Slurm drain the nodes whose accelerators are faulty, for the reason given, and leave the others alone.
func TestDrain(t *testing.T) {
	faulty := func(reasons ...string) (out []client.Device) {
		for _, r := range reasons {
			out = append(out, client.Device{State: "faulty", Reason: r})
		}
		return out
	}
	hosts := []client.Host{
		{Centre: "guian", Host: "a", Name: "gpu-1.example.org", Online: true, Devices: faulty("xid", "ecc-uncorrected", "xid")},
		{Centre: "guian", Host: "b", Name: "gpu-3", Online: true, Devices: faulty("lost")},
		{Centre: "guian", Host: "c", Name: "gpu-[2,4]", Online: true, Devices: faulty("lost")},
		{Centre: "guian", Host: "d", Name: "gpu-4 State=DOWN", Online: true, Devices: faulty("lost")},
	}
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(client.HostList{Head: client.Head{Revision: 41, AsOf: time.Now()}, Hosts: hosts})
	}))
	defer collector.Close()
	programs := t.TempDir()
	if err := process.Build(t.Context(), programs, "slurm", "exameter"); err != nil {
		t.Fatal(err)
	}
	c := start(t)
	lines, err := exec.CommandContext(t.Context(), filepath.Join(programs, "exameter"), "export", "slurm", "--collector", collector.URL).Output()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.run("scontrol", string(lines)); err != nil || strings.Contains(out, "error") {
		t.Errorf("scontrol: %v\n%s", err, out)
	}
	out, err := c.run("sinfo", "", "--Node", "--noheader", "--format", "%N|%T|%E")
	if err != nil {
		t.Fatalf("sinfo: %v: %s", err, out)
	}
	for node, want := range map[string]string{
		"gpu-1": "drained|exameter: 3 faulty (ecc-uncorrected, xid)", "gpu-2": "unknown|none", "gpu-3": "drained|exameter: 1 faulty (lost)", "gpu-4": "unknown|none",
	} {
		if !strings.Contains(out, node+"|"+want+"\n") {
			t.Errorf("want %s|%s in\n%s", node, want, out)
		}
	}
}
