package boot

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	agentUnit   = "exameter-agent.service"
	agentConfig = "centre: lab\ncluster: boot\nkafka:\n  brokers: [kafka.test:9092]\n"
	brokerAddr  = "127.0.0.1:9092"
)

// installAgent installs the agent, with four lines of configuration, beside a Kafka with its topics. What differs from the packaged unit is
// the scenario of the simulated driver, and patience: a watchdog of two seconds in place of thirty.
func installAgent(m *machine) {
	m.t.Helper()
	m.kafka(brokerAddr)
	m.install("exameter", "exameter-agent")
	m.run("exameter", "topics", "create", "--brokers", brokerAddr, "--centre", "lab", "--partitions", "2", "--replicas", "1")
	m.write("/etc/systemd/system/"+agentUnit+".d/test.conf", "[Service]\nEnvironment=EXAMETER_NVMLSIM=/srv/cards.conf\nWatchdogSec=2s\nRestartSec=200ms\n")
	m.write("/etc/exameter/agent.yaml", agentConfig)
	m.run("systemctl", "daemon-reload")
}

// TestAgent lives through what an agent lives through, in the order in which an operator does it.
func TestAgent(t *testing.T) {
	m := boot(t)
	before := m.files()
	installAgent(m)
	if state := m.show(agentUnit, "ActiveState"); state != "inactive" {
		t.Errorf("once installed and before it is configured the agent is %s", state)
	}
	if said := m.run("stat", "-c", "%U:%G %a", "/etc/exameter/agent.yaml"); said != "root:exameter 640" {
		t.Errorf("agent.yaml is %s", said)
	}
	began := time.Now()
	m.run("systemctl", "enable", "--now", agentUnit)
	t.Logf("ready after %v", time.Since(began).Round(10*time.Millisecond))
	for _, step := range []struct {
		name string
		do   func(*testing.T, *machine)
	}{
		{"works", agentWorks},
		{"keeps within its bounds", agentBounds},
		{"reaches devices of drivers, and no others", agentDevices},
		{"reloads", agentReloads},
		{"is drained and undrained", agentDrained},
		{"is given a secret", agentSecret},
		{"reads energy counters", agentEnergy},
		{"is upgraded over itself", agentUpgraded},
		{"is killed by the watchdog and started again", agentWatched},
		{"stops", agentStops},
	} {
		t.Run(step.name, func(t *testing.T) { m := *m; m.t = t; step.do(t, &m) })
	}
	m.run("rm", "-r", "/etc/systemd/system/"+agentUnit+".d")
	m.run("apt-get", "-qq", "purge", "--yes", "exameter-agent", "exameter")
	m.run("systemctl", "daemon-reload")
	if more := left(before, m.files()); len(more) > 0 {
		t.Errorf("left behind by a purge: %s", strings.Join(more, ", "))
	}
	if out, err := m.try("find", "/proc", "-maxdepth", "1", "-user", "exameter"); err != nil || out != "" {
		t.Errorf("still run by exameter: %q, %v", out, err)
	}
}

// finding is a line of check.
type finding struct{ Result, What, Found, Do string }

// check asks a program, which is told in one or more words, for what its check finds.
func (m *machine) check(args ...string) (result string, found []finding) {
	m.t.Helper()
	at := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "exameter-") }) + 1
	out, _ := m.try(slices.Insert(args, at, "check", "-o", "json")...)
	var doc struct {
		Result   string
		Findings []finding
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		m.t.Fatalf("check says %v:\n%s", err, out)
	}
	return doc.Result, doc.Findings
}

// says looks for a finding.
func says(found []finding, result, what, text string) bool {
	for _, f := range found {
		if f.Result == result && f.What == what && strings.Contains(f.Found+" "+f.Do, text) {
			return true
		}
	}
	return false
}

func agentWorks(t *testing.T, m *machine) {
	m.wait("reports to arrive", 30*time.Second, func() bool {
		_, found := m.check("exameter-agent", "--only", "kafka")
		return says(found, "ok", "clock", "agrees")
	})
	result, found := m.check("env", "EXAMETER_NVMLSIM=/srv/cards.conf", "exameter-agent")
	for _, f := range found {
		if f.Result != "ok" && !strings.Contains(f.Found, "clock right") {
			t.Errorf("a first run is not quiet: %+v", f)
		}
	}
	if result == "fail" || !says(found, "ok", "user", "looks as exameter") || !says(found, "ok", "service", "is active, watchdog 2s") {
		t.Errorf("check says %+v", found)
	}
	if status := m.show(agentUnit, "StatusText"); !strings.HasPrefix(status, "reports 8 accelerators: ") {
		t.Errorf("systemctl status says %q", status)
	}
	if log := m.run("journalctl", "--no-pager", "--unit", agentUnit); strings.Contains(log, "how wrong its clock may be") {
		t.Errorf("the sandbox keeps the agent from reading the clock:\n%s", log)
	}
	status := m.run("cat", "/proc/"+m.show(agentUnit, "MainPID")+"/status")
	uid := m.run("id", "-u", "exameter")
	for _, want := range []string{"Uid:\t" + uid + "\t" + uid, "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
}

// group is a file of the control group of a unit: of the old hierarchy of a controller, or the first of the new one's that is there.
func (m *machine) group(unit, controller, old string, files ...string) string {
	m.t.Helper()
	at := "/system.slice/" + unit + "/"
	args := []string{"sh", "-c", `for f; do [ ! -e "$f" ] || exec cat "$f"; done; exit 1`, "group", "/sys/fs/cgroup/" + controller + at + old}
	for _, file := range files {
		args = append(args, "/sys/fs/cgroup"+at+file)
	}
	return m.run(args...)
}

func agentBounds(t *testing.T, m *machine) {
	const most = 64 << 20
	if limit := m.group(agentUnit, "memory", "memory.limit_in_bytes", "memory.max"); limit != strconv.Itoa(most) {
		t.Errorf("memory is limited to %s, want %d", limit, most)
	}
	peak, err := strconv.Atoi(m.group(agentUnit, "memory", "memory.max_usage_in_bytes", "memory.peak", "memory.current"))
	if err != nil || peak >= most || peak < 1<<20 {
		t.Errorf("the agent took %d bytes, want some and less than %d: %v", peak, most, err)
	}
	t.Logf("at most %.1f MiB in its control group, of 64 MiB", float64(peak)/(1<<20))
	quota := m.group(agentUnit, "cpu", "cpu.cfs_quota_us", "cpu.max")
	if got := strings.Fields(quota)[0]; got != "50000" {
		t.Errorf("processor time is limited to %s µs a second, want 50000", got)
	}
	if kills := m.run("sh", "-c", "journalctl --no-pager | grep -ci 'oom.kill' || true"); kills != "0" {
		t.Errorf("killed for memory: %s times", kills)
	}
}

// agentDevices opens device files from within the agent's control group: one of NVIDIA's driver, which is not here (ENXIO), and one of
// somebody else's (EPERM).
func agentDevices(t *testing.T, m *machine) {
	m.run("sh", "-c", "mknod /dev/nvidiactl c 195 255; mknod /dev/other c 189 0; chmod 666 /dev/nvidiactl /dev/other")
	open := func(device string) string {
		out, _ := m.try("sh", "-c", `for d in devices ""; do
			f=/sys/fs/cgroup/$d/system.slice/`+agentUnit+`/cgroup.procs
			[ ! -e $f ] || echo $$ >$f
		done; exec dd if=$0 of=/dev/null count=1`, device)
		return out
	}
	if said := open("/dev/nvidiactl"); !strings.Contains(said, "No such device or address") {
		t.Errorf("NVIDIA's device is out of reach: %s", said)
	}
	if said := open("/dev/other"); !strings.Contains(said, "Operation not permitted") {
		t.Errorf("another device is within reach: %s", said)
	}
}

func agentReloads(t *testing.T, m *machine) {
	pid := m.show(agentUnit, "MainPID")
	m.run("chmod", "600", "/etc/exameter/agent.yaml")
	if out, err := m.try("systemctl", "reload", agentUnit); err == nil {
		t.Errorf("a configuration that the agent may not read is reloaded: %s", out)
	}
	if _, found := m.check("exameter-agent", "--only", "configuration"); !says(found, "fail", "configuration", "chgrp exameter /etc/exameter/agent.yaml && chmod 0640") {
		t.Errorf("check says %+v", found)
	}
	m.run("chmod", "640", "/etc/exameter/agent.yaml")
	m.write("/etc/exameter/agent.yaml", agentConfig+"intervals: {report: 5s}\n")
	m.run("systemctl", "reload", agentUnit)
	m.wait("the reload", 20*time.Second, func() bool { return strings.Contains(m.journal(), "configuration reloaded") })
	m.write("/etc/exameter/agent.yaml", agentConfig+"intervals: {report: never}\n")
	if out, err := m.try("systemctl", "reload", agentUnit); err == nil {
		t.Errorf("a wrong configuration is reloaded: %s", out)
	}
	if !strings.Contains(m.journal(), "/etc/exameter/agent.yaml:5:21: ") {
		t.Errorf("the journal does not say where the configuration is wrong:\n%s", m.journal())
	}
	m.write("/etc/exameter/agent.yaml", agentConfig)
	m.run("systemctl", "reload", agentUnit)
	if now, state := m.show(agentUnit, "MainPID"), m.show(agentUnit, "ActiveState"); now != pid || state != "active" {
		t.Errorf("after reloads the agent is %s, process %s, and was %s", state, now, pid)
	}
}

func agentDrained(t *testing.T, m *machine) {
	m.run("exameter-agent", "drain", "new fans")
	m.wait("the drain", 20*time.Second, func() bool {
		return strings.Contains(m.show(agentUnit, "StatusText"), "the host is drained: new fans")
	})
	if _, found := m.check("exameter-agent", "--only", "state"); !says(found, "warn", "orders", "new fans") {
		t.Errorf("check says %+v", found)
	}
	m.run("exameter-agent", "undrain")
	m.wait("the end of it", 20*time.Second, func() bool { return !strings.Contains(m.show(agentUnit, "StatusText"), "drained: new fans") })
}

// agentSecret has systemd hand on a password that root alone can read.
func agentSecret(t *testing.T, m *machine) {
	m.write("/etc/exameter/kafka-password", "secret\n")
	m.run("chmod", "600", "/etc/exameter/kafka-password")
	m.write("/etc/systemd/system/"+agentUnit+".d/secret.conf", "[Service]\nLoadCredential=kafka-password:/etc/exameter/kafka-password\n")
	m.write("/etc/exameter/agent.yaml", agentConfig+"  sasl: {mechanism: SCRAM-SHA-512, username: lab, password_file: $CREDENTIALS_DIRECTORY/kafka-password}\n")
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "restart", agentUnit)
	_, found := m.check("exameter-agent", "--only", "kafka")
	if !says(found, "ok", "secret password_file", "/run/credentials/"+agentUnit+"/kafka-password, mode 0400") {
		t.Errorf("check says %+v", found)
	}
	m.write("/etc/exameter/agent.yaml", agentConfig+"  sasl: {mechanism: SCRAM-SHA-512, username: lab, password_file: /etc/exameter/kafka-password}\n")
	if _, found := m.check("exameter-agent", "--only", "kafka"); !says(found, "fail", "secret password_file", "permission denied") {
		t.Errorf("check says of a file of root's %+v", found)
	}
	m.run("chmod", "644", "/etc/exameter/kafka-password")
	if _, found := m.check("exameter-agent", "--only", "kafka"); !says(found, "fail", "secret password_file", "chmod 0640") {
		t.Errorf("check says of a file that everybody can read %+v", found)
	}
	m.write("/etc/exameter/agent.yaml", agentConfig)
	m.run("rm", "/etc/exameter/kafka-password", "/etc/systemd/system/"+agentUnit+".d/secret.conf")
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "restart", agentUnit)
}

// agentEnergy gives the agent's group to read a tree like the kernel's, by the package's own rule.
func agentEnergy(t *testing.T, m *machine) {
	const zone = "/srv/rapl/sys/devices/virtual/powercap/intel-rapl/intel-rapl:0"
	m.run("sh", "-c", `mkdir -p $0 /srv/rapl/sys/class/powercap /srv/rapl/etc && cp /etc/passwd /etc/group /srv/rapl/etc &&
		ln -s ../../devices/virtual/powercap/intel-rapl/intel-rapl:0 /srv/rapl/sys/class/powercap/ &&
		echo package-0 >$0/name && echo 262143328850 >$0/max_energy_range_uj && echo 1000000 >$0/energy_uj && chmod 400 $0/energy_uj`, zone)
	m.write("/etc/exameter/energy.yaml", agentConfig+"paths: {sys: /srv/rapl/sys}\n")
	look := func() []finding {
		_, found := m.check("exameter-agent", "--config", "/etc/exameter/energy.yaml", "--only", "sources")
		return found
	}
	if found := look(); !says(found, "warn", "source power", "systemd-tmpfiles --create exameter-agent.conf") {
		t.Errorf("before: %+v", found)
	}
	m.run("systemd-tmpfiles", "--root=/srv/rapl", "--create", "/usr/lib/tmpfiles.d/exameter-agent.conf")
	if mode := m.run("stat", "-c", "%U %G %a", zone+"/energy_uj"); mode != "root exameter 440" {
		t.Errorf("the counter is %s", mode)
	}
	if found := look(); !says(found, "ok", "source power", "package-0 (rapl)") || says(found, "warn", "source power", "") {
		t.Errorf("after: %+v", found)
	}
	m.run("rm", "-r", "/srv/rapl", "/etc/exameter/energy.yaml")
}

func agentUpgraded(t *testing.T, m *machine) {
	m.run("exameter-agent", "drain", "kept over an upgrade")
	pid := m.show(agentUnit, "MainPID")
	m.install("exameter-agent")
	if now, state := m.show(agentUnit, "MainPID"), m.show(agentUnit, "ActiveState"); now == pid || state != "active" {
		t.Errorf("after an upgrade the agent is %s, process %s, and was %s", state, now, pid)
	}
	if config := m.run("cat", "/etc/exameter/agent.yaml"); config+"\n" != agentConfig {
		t.Errorf("after an upgrade the configuration is\n%s", config)
	}
	m.wait("what was ordered before", 20*time.Second, func() bool { return strings.Contains(m.show(agentUnit, "StatusText"), "kept over an upgrade") })
	m.run("exameter-agent", "undrain")
}

func agentWatched(t *testing.T, m *machine) {
	pid := m.show(agentUnit, "MainPID")
	m.run("sh", "-c", "kill -STOP $0", pid)
	m.wait("another agent", 60*time.Second, func() bool {
		now := m.show(agentUnit, "MainPID")
		return now != "0" && now != pid && m.show(agentUnit, "ActiveState") == "active"
	})
	if n := m.show(agentUnit, "NRestarts"); n != "1" {
		t.Errorf("restarted %s times", n)
	}
	if log := m.run("journalctl", "--no-pager", "--unit", agentUnit, "--grep", "Watchdog timeout"); !strings.Contains(log, "Watchdog timeout") {
		t.Errorf("the journal says %s", log)
	}
}

func agentStops(t *testing.T, m *machine) { stops(t, m, agentUnit) }

// stops holds a service to two seconds, by systemd's own clock.
func stops(t *testing.T, m *machine, unit string) {
	t.Helper()
	m.run("systemctl", "stop", unit)
	from, err1 := strconv.Atoi(m.show(unit, "ActiveExitTimestampMonotonic"))
	to, err2 := strconv.Atoi(m.show(unit, "InactiveEnterTimestampMonotonic"))
	took := time.Duration(to-from) * time.Microsecond
	if err1 != nil || err2 != nil || took <= 0 || took > 2*time.Second {
		t.Errorf("stopping %s took %v (%v, %v)", unit, took, err1, err2)
	}
	t.Logf("stopped in %v", took.Round(time.Millisecond))
	if result := m.show(unit, "Result"); result != "success" {
		t.Errorf("stopped with %s", result)
	}
}
