package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/process"
)

const centre = "bench"

// scenario is a host with eight cards at work. While the agent waits for events the simulation stays asleep, as a real
// driver does.
const scenario = `cards = 8
event_step = 1
[gpu *]
processes = 4711
used = 81920 MiB
utilisation = 97 41
power = 640000
temperature = 61
sm = 83
tensor = 38
`

// running is the agent under measurement, and the broker inside this process that it reports to.
type running struct {
	process *process.Process
	broker  *localbroker.Broker
}

func startAgent(dir string) (*running, error) {
	b, err := localbroker.Start(localbroker.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	r := &running{broker: b}
	if err := r.start(dir); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *running) start(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client := &kafka.Client{Addr: kafka.TCP(r.broker.Addr()), Timeout: 10 * time.Second}
	if _, err := broker.Create(ctx, client, broker.CentreTopics(centre, 1), 1); err != nil {
		return err
	}
	library, err := filepath.Abs("test/nvmlsim/libnvidia-ml-sim.so")
	if err != nil {
		return err
	}
	cards := filepath.Join(dir, "cards")
	if err := os.WriteFile(cards, []byte(scenario), 0o644); err != nil {
		return err
	}
	config := filepath.Join(dir, "agent.yaml")
	text := fmt.Sprintf(`centre: %s
kafka:
  brokers: [%q]
intervals:
  sample: 1s
sources:
  nvml:
    library: %q
paths:
  state: %q
`, centre, r.broker.Addr(), library, dir)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return err
	}
	r.process, err = process.Start(filepath.Join(dir, "agent.log"), []string{"EXAMETER_NVMLSIM=" + cards}, filepath.Join(dir, "exameter-agent"), "run", "--config", config)
	return err
}

// check returns how many reports arrived, and an error unless they are of eight accelerators: a measurement of an agent
// that reads nothing would flatter it.
func (r *running) check() (int, error) {
	conn, err := kafka.DialLeader(context.Background(), "tcp", r.broker.Addr(), telemetry.TelemetryTopic(centre), 0)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_, last, err := conn.ReadOffsets()
	if err != nil {
		return 0, err
	}
	if last == 0 {
		return 0, fmt.Errorf("the agent reported nothing:\n%s", r.process.Log())
	}
	if err := errors.Join(conn.SetDeadline(time.Now().Add(10*time.Second)), seek(conn, last-1)); err != nil {
		return 0, err
	}
	m, err := conn.ReadMessage(telemetry.MaxRecordBytes)
	if err != nil {
		return 0, err
	}
	var d telemetry.Decoder
	var report telemetry.Report
	if err := d.Report(m.Value, &report); err != nil {
		return 0, err
	}
	if len(report.Devices) != 8 {
		return 0, fmt.Errorf("the agent reported %d accelerators, want 8:\n%s", len(report.Devices), r.process.Log())
	}
	return int(last), nil
}

func seek(conn *kafka.Conn, offset int64) error {
	_, err := conn.Seek(offset, kafka.SeekAbsolute)
	return err
}

func (r *running) close() {
	if r.process != nil {
		_ = r.process.Kill() // Nothing it still holds is wanted.
	}
	_ = r.broker.Close() // It kept everything in memory.
}
