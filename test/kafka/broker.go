package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// broker is one Kafka process, or the place where one will run.
type broker struct {
	id         int // Kafka's node.id, from 1
	dir        string
	addr       string // where clients reach it
	controller string // where the other controllers reach it
	classpath  string
	heap       string

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended; nil before the first start
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
		"log.dirs":                       filepath.Join(b.dir, "data"),
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

// java builds a command of Kafka. The flags make for a quick start rather than for throughput.
func (b *broker) java(ctx context.Context, class string, args ...string) *exec.Cmd {
	flags := []string{
		"-Xmx" + b.heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.log.kafka.server=info",
		"-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
		"-cp", b.classpath, class,
	}
	cmd := exec.CommandContext(ctx, "java", append(flags, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (b *broker) format(ctx context.Context, cluster string) error {
	out, err := b.java(ctx, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", b.properties()).CombinedOutput()
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
	log, err := os.OpenFile(b.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	// The process outlives the context of whoever starts it: Close ends it.
	cmd := b.java(context.Background(), "kafka.Kafka", b.properties())
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start broker %d: %w", b.id, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // How it ended stands in its log.
	}()
	b.cmd, b.done = cmd, done
	return nil
}

func (b *broker) running() bool {
	if b.done == nil {
		return false
	}
	select {
	case <-b.done:
		return false
	default:
		return true
	}
}

func (b *broker) stop() error {
	if !b.running() {
		return fmt.Errorf("broker %d is not running", b.id)
	}
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-b.done:
		return nil
	case <-time.After(time.Minute):
		return errors.Join(fmt.Errorf("broker %d did not stop within a minute", b.id), b.kill())
	}
}

func (b *broker) kill() error {
	if !b.running() {
		return nil
	}
	if err := syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill broker %d: %w", b.id, err)
	}
	<-b.done
	return nil
}

// tail returns the last 4 KiB of the broker's log.
func (b *broker) tail() string {
	text, err := os.ReadFile(b.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4096):])
}
