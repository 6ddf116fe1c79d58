package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/exameter/exameter/test/process"
)

// broker is one Kafka process, or the place where one will run.
type broker struct {
	id         int // Kafka's node.id, from 1
	dir        string
	data       string // where it keeps what it is given
	addr       string // where clients reach it
	controller string // where the other controllers reach it
	sasl       string // where clients with passwords reach it, if it is secured
	mutual     string // where clients with certificates do
	classpath  string
	heap       string
	enter      []string // what its command begins with

	process *process.Process // nil before the first start
}

func (b *broker) properties() string { return filepath.Join(b.dir, "server.properties") }
func (b *broker) logFile() string    { return filepath.Join(b.dir, "log") }

// settings are the properties of b among all brokers, extra ones winning.
func settings(b *broker, all []*broker, extra map[string]string) string {
	var voters []string
	for _, v := range all {
		voters = append(voters, fmt.Sprintf("%d@%s", v.id, v.controller))
	}
	replicas := strconv.Itoa(min(len(all), 3))
	inSync := strconv.Itoa(min(len(all), 2))
	p := map[string]string{
		"process.roles":                  "broker,controller",
		"node.id":                        strconv.Itoa(b.id),
		"controller.quorum.voters":       strings.Join(voters, ","),
		"controller.listener.names":      "CONTROLLER",
		"inter.broker.listener.name":     "CLIENT",
		"listeners":                      "CLIENT://" + b.addr + ",CONTROLLER://" + b.controller,
		"advertised.listeners":           "CLIENT://" + b.addr,
		"listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"log.dirs":                       b.data,
		// Topics are made on purpose, or not at all.
		"auto.create.topics.enable":  "false",
		"default.replication.factor": replicas, "min.insync.replicas": inSync,
		"offsets.topic.replication.factor": replicas, "offsets.topic.num.partitions": "4",
		"transaction.state.log.replication.factor": replicas, "transaction.state.log.min.isr": inSync,
		"share.coordinator.state.topic.replication.factor": replicas, "share.coordinator.state.topic.min.isr": inSync,
		// A test does not wait for members that will not come, nor for a lost broker's long session.
		"group.initial.rebalance.delay.ms": "0",
		"broker.session.timeout.ms":        "4000", "broker.heartbeat.interval.ms": "500",
		// Small machines run several brokers at once.
		"num.network.threads": "2", "num.io.threads": "2", "background.threads": "2",
		"log.cleaner.dedupe.buffer.size": strconv.Itoa(16 << 20),
	}
	maps.Copy(p, extra)
	var s strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&s, "%s=%s\n", k, p[k])
	}
	return s.String()
}

// java are the arguments that run a class of Kafka. The flags make for a quick start rather than for throughput.
func (b *broker) java(class string, args ...string) []string {
	flags := []string{
		"-Xmx" + b.heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.log.kafka.server=info",
		"-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
		"-cp", b.classpath, class,
	}
	return append(flags, args...)
}

func (b *broker) format(ctx context.Context, cluster string, more []string) error {
	args := append([]string{"format", "-t", cluster, "-c", b.properties()}, more...)
	out, err := process.Command(ctx, "java", b.java("kafka.tools.StorageTool", args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("format the storage of broker %d: %w\n%s", b.id, err, out)
	}
	return nil
}

// start starts the process and does not wait until it serves.
func (b *broker) start() error {
	if b.running() {
		return fmt.Errorf("broker %d runs already", b.id)
	}
	command := slices.Concat(b.enter, []string{"java"}, b.java("kafka.Kafka", b.properties()))
	p, err := process.Start(b.logFile(), nil, command[0], command[1:]...)
	if err != nil {
		return fmt.Errorf("broker %d: %w", b.id, err)
	}
	b.process = p
	return nil
}

func (b *broker) running() bool { return b.process != nil && b.process.Running() }

func (b *broker) stop() error {
	if !b.running() {
		return fmt.Errorf("broker %d is not running", b.id)
	}
	// Java ends with 143 when it was told to end.
	var exit *exec.ExitError
	if err := b.process.Stop(time.Minute); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 143) {
		return fmt.Errorf("stop broker %d: %w", b.id, err)
	}
	return nil
}

func (b *broker) kill() error {
	if !b.running() {
		return nil
	}
	return b.process.Kill()
}
