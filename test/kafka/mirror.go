package kafka

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/exameter/exameter/test/process"
)

// Mirror is a MirrorMaker 2 that copies topics from one cluster to another under their own names: partition, key and order survive.
type Mirror struct {
	args    []string
	log     string
	process *process.Process
}

// MirrorSettings are the settings of a MirrorMaker 2 that copies a centre's topics to the province, as docs/kafka.md has them.
func MirrorSettings(centre, province []string) map[string]string {
	s := map[string]string{
		"clusters":                 "centre, province",
		"centre.bootstrap.servers": strings.Join(centre, ","), "province.bootstrap.servers": strings.Join(province, ","),
		"centre->province.enabled": "true", "province->centre.enabled": "false",
		"centre->province.topics":  `exameter\\.v1\\.(inventory|telemetry)\\..*`,
		"replication.policy.class": "org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
		// Topics are made beforehand, with the settings that Exameter needs; nothing of them is taken from the centre.
		"sync.topic.configs.enabled": "false", "sync.topic.acls.enabled": "false",
		// The centre is only read, and no consumer groups move.
		"centre->province.offset-syncs.topic.location": "target", "sync.group.offsets.enabled": "false",
		"refresh.topics.interval.seconds": "5",
		// What is kept in order and written once by its producer stays so; inventories are small and records few, so each may wait a little.
		"province.producer.enable.idempotence": "true", "province.producer.compression.type": "lz4", "province.producer.linger.ms": "20",
		// A mirror that was cut off for longer than its session (10 s) goes on at once, and not after five minutes, which is the default. Without the
		// target's name before it the setting has no effect.
		"province.scheduled.rebalance.max.delay.ms": "0",
		"tasks.max": "2",
	}
	for _, topic := range []string{"offset.storage", "status.storage", "config.storage", "offset-syncs.topic", "checkpoints.topic", "heartbeats.topic"} {
		s[topic+".replication.factor"] = "1"
	}
	s["replication.factor"] = "1"
	return s
}

// StartMirror starts one in a folder. Should the calling process die first, it dies too.
func StartMirror(dir string, settings map[string]string) (*Mirror, error) {
	lib, err := mirrorJars()
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s=%s\n", k, settings[k])
	}
	file := filepath.Join(dir, "mirror.properties")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return nil, err
	}
	m := &Mirror{log: filepath.Join(dir, "mirror.log"), args: []string{
		"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-cp", lib, "org.apache.kafka.connect.mirror.MirrorMaker", file,
	}}
	return m, m.Start()
}

// Start starts it again where it stopped.
func (m *Mirror) Start() (err error) {
	m.process, err = process.Start(m.log, nil, "java", m.args...)
	return err
}

// Kill ends it at once.
func (m *Mirror) Kill() error { return m.process.Kill() }

// Log returns the end of what it logged.
func (m *Mirror) Log() string { return m.process.Log() }

// mirrorJars returns the Java class path of MirrorMaker 2, or says how to get it.
func mirrorJars() (string, error) {
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("find the folder of this source file")
	}
	lib := filepath.Join(filepath.Dir(here), "mirror", "target", "lib")
	if found, _ := filepath.Glob(filepath.Join(lib, "connect-mirror-[0-9]*.jar")); len(found) != 1 {
		return "", fmt.Errorf("no MirrorMaker in %s: run `make mirror` first", lib)
	}
	return filepath.Join(lib, "*"), nil
}
