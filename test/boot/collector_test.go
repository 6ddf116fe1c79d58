package boot

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

const collectorUnit = "exameter-collector.service"

// TestCollector lives through what a collector lives through, with an agent beside it.
func TestCollector(t *testing.T) {
	m := boot(t)
	before := m.files()
	installAgent(m)
	m.install("exameter-collector")
	m.write("/etc/exameter/collector.yaml", "kafka:\n  brokers: ["+brokerAddr+"]\nregistry: /etc/exameter/registry.yaml\n")
	m.write("/etc/exameter/registry.yaml", "centres:\n  - id: lab\n    name: {zh: 实验室, en: Laboratory}\n")
	m.run("sh", "-c", "chgrp exameter /etc/exameter/registry.yaml && chmod 640 /etc/exameter/registry.yaml")
	m.run("systemctl", "enable", "--now", agentUnit, collectorUnit)
	for _, step := range []struct {
		name string
		do   func(*testing.T, *machine)
	}{
		{"answers", collectorAnswers},
		{"reloads", collectorReloads},
		{"is upgraded over itself", func(t *testing.T, m *machine) {
			pid := m.show(collectorUnit, "MainPID")
			m.install("exameter-collector")
			if now := m.show(collectorUnit, "MainPID"); now == pid || m.show(collectorUnit, "ActiveState") != "active" {
				t.Errorf("process %s, and was %s", now, pid)
			}
			m.wait("answers again", 60*time.Second, func() bool { return rated(m) == 8 })
		}},
		{"stops", func(t *testing.T, m *machine) { stops(t, m, collectorUnit) }},
	} {
		t.Run(step.name, func(t *testing.T) { m := *m; m.t = t; step.do(t, &m) })
	}
	m.run("rm", "-r", "/etc/systemd/system/"+agentUnit+".d", "/etc/exameter/registry.yaml")
	m.run("apt-get", "-qq", "purge", "--yes", "exameter-collector", "exameter-agent", "exameter")
	m.run("systemctl", "daemon-reload")
	if more := left(before, m.files()); len(more) > 0 {
		t.Errorf("left behind by a purge: %s", strings.Join(more, ", "))
	}
}

// rated is how many devices the collector answers are rated; -1 where it does not answer.
func rated(m *machine) int {
	out, err := m.try("exameter", "capacity", "--centre", "lab", "-o", "json")
	var doc struct {
		Total struct {
			Devices struct {
				Rated int `json:"rated"`
			} `json:"devices"`
		} `json:"total"`
	}
	if err != nil || json.Unmarshal([]byte(out), &doc) != nil {
		return -1
	}
	return doc.Total.Devices.Rated
}

func collectorAnswers(t *testing.T, m *machine) {
	m.wait("the agent's cards in the capacity", 60*time.Second, func() bool { return rated(m) == 8 })
	name := m.run("cat", "/proc/sys/kernel/hostname")
	if hosts := m.run("exameter", "hosts", "-o", "json"); !strings.Contains(hosts, `"`+name+`"`) {
		t.Errorf("no host %s in\n%s", name, hosts)
	}
	result, found := m.check("exameter-collector")
	if result != "ok" || !says(found, "ok", "centre lab", "2 partitions each") || !says(found, "ok", "group", ": 1 collectors in it") ||
		!says(found, "ok", "http", "by the collector that runs") || !says(found, "ok", "user", "exameter") {
		t.Errorf("check says %s, %+v", result, found)
	}
	if status := m.show(collectorUnit, "StatusText"); status != "answers for all of 2 parts, 2 of them its own" {
		t.Errorf("systemctl status says %q", status)
	}
}

func collectorReloads(t *testing.T, m *machine) {
	pid := m.show(collectorUnit, "MainPID")
	m.write("/etc/exameter/registry.yaml", "centres:\n  - id: lab\n    name: {zh: 实验室, en: Laboratory of today}\n")
	m.run("systemctl", "reload", collectorUnit)
	m.wait("the new name", 30*time.Second, func() bool {
		out, _ := m.try("exameter", "centres", "-o", "json")
		return strings.Contains(out, "Laboratory of today")
	})
	m.write("/etc/exameter/registry.yaml", "centres:\n  - id: lab\n    nam: Nobody\n")
	if out, err := m.try("systemctl", "reload", collectorUnit); err == nil {
		t.Errorf("a wrong registry is reloaded: %s", out)
	}
	if !strings.Contains(m.journal(), "/etc/exameter/registry.yaml:3:5: ") {
		t.Errorf("the journal does not say where the registry is wrong:\n%s", m.journal())
	}
	if now := m.show(collectorUnit, "MainPID"); now != pid || m.show(collectorUnit, "ActiveState") != "active" {
		t.Errorf("after reloads it is process %s, and was %s", now, pid)
	}
	m.write("/etc/exameter/registry.yaml", "centres:\n  - id: lab\n    name: {zh: 实验室, en: Laboratory}\n")
}
