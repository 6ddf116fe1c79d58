package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/sim"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/process"
)

// start starts a program of others on the first core, with bounded memory.
func start(o *options, name string, args ...string) (*process.Process, error) {
	args = append([]string{"-c", "0"}, args...)
	return process.Start(filepath.Join(o.work, name+".log"), []string{"GOMAXPROCS=1", "GOMEMLIMIT=4GiB"}, "taskset", args...)
}

// telegrafConfig reads one centre's telemetry and keeps statistics of every field.
const telegrafConfig = `
[agent]
  interval = "1s"
  flush_interval = "1s"
  metric_batch_size = 5000
  metric_buffer_limit = 500000
  omit_hostname = true
[[inputs.kafka_consumer]]
  brokers = [%q]
  topics = [%q]
  kafka_version = "3.6.0"
  consumer_group = %q
  offset = "oldest"
  max_message_len = 0
  max_undelivered_messages = 20000
  data_format = "influx"
[[aggregators.basicstats]]
  period = "10s"
  grace = "3h"
  drop_original = true
[[outputs.discard]]
`

// measureTelegraf lets Telegraf read one centre's topic: kafka_consumer, influx parser, basicstats.
func measureTelegraf(ctx context.Context, o *options) error {
	if _, err := os.Stat(o.teleg); errors.Is(err, fs.ErrNotExist) {
		fmt.Printf("| Telegraf | not there: %s |\n", o.teleg)
		return nil
	}
	const group = "telegraf-bench"
	topic := telemetry.TelemetryTopic(sim.DefaultCentres()[0].ID)
	file := filepath.Join(o.work, "telegraf.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, telegrafConfig, o.brokers, topic, group), 0o600); err != nil {
		return err
	}
	p, err := start(o, "telegraf", o.teleg, "--config", file, "--quiet")
	if err != nil {
		return err
	}
	defer p.Kill()
	client, transport, err := o.kafka().Client("bench")
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	type point struct {
		at   time.Time
		cpu  time.Duration
		read int64
	}
	var points []point
	for limit := time.Now().Add(100 * time.Second); time.Now().Before(limit) && p.Running() && ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		resp, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {0, 1, 2}}})
		if err != nil {
			continue
		}
		now := point{at: time.Now(), cpu: process.CPU(p.PID())}
		for _, part := range resp.Topics[topic] {
			now.read += max(part.CommittedOffset, 0)
		}
		if n := len(points); now.read > 0 && (n == 0 || points[n-1].read < now.read) {
			points = append(points, now)
		} else if n > 2 && time.Since(points[n-1].at) > 4*time.Second {
			break
		}
	}
	if len(points) < 3 {
		return fmt.Errorf("telegraf committed %d times; its log: %s", len(points), p.Log())
	}
	first, last := points[0], points[len(points)-1]
	n, cpu, wall := last.read-first.read, last.cpu-first.cpu, last.at.Sub(first.at)
	fmt.Printf("| Telegraf: kafka_consumer → influx parser → basicstats, the same topic | %.1f µs of CPU a record, **%.0f records/s a core**; by the wall %.0f records/s over %d records; resident %d MiB |\n",
		micros(cpu, n), float64(n)/cpu.Seconds(), float64(n)/wall.Seconds(), n, process.Resident(p.PID())>>20)
	return nil
}

// measureVictoria lets VictoriaMetrics take the reports of some hosts, which were in the topic, by /write.
func measureVictoria(ctx context.Context, o *options) error {
	if _, err := os.Stat(o.vm); errors.Is(err, fs.ErrNotExist) {
		fmt.Printf("| VictoriaMetrics | not there: %s |\n", o.vm)
		return nil
	}
	rounds, sum, err := someRounds(ctx, o, 2000)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	_ = l.Close()
	p, err := start(o, "victoria-metrics", o.vm, "-storageDataPath="+filepath.Join(o.work, "vm"), "-httpListenAddr="+addr,
		"-retentionPeriod=1", "-memory.allowedBytes=2GB", "-search.latencyOffset=0s")
	if err != nil {
		return err
	}
	defer p.Kill()
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if resp, err := http.Get("http://" + addr + "/health"); err == nil {
			_ = resp.Body.Close()
			break
		}
		if time.Now().After(limit) {
			return fmt.Errorf("victoria-metrics does not answer; its log: %s", p.Log())
		}
	}
	write := func(records [][]byte) error {
		for len(records) > 0 && ctx.Err() == nil {
			n := min(50, len(records))
			resp, err := http.Post("http://"+addr+"/write?precision=ns", "text/plain", bytes.NewReader(bytes.Join(records[:n], nil)))
			if err != nil {
				return err
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusNoContent {
				return fmt.Errorf("/write answered %s", resp.Status)
			}
			records = records[n:]
		}
		return ctx.Err()
	}
	if err := write(rounds[0]); err != nil { // the series are made here
		return err
	}
	time.Sleep(2 * time.Second)
	cpu, began, n := process.CPU(p.PID()), time.Now(), int64(0)
	for range 4 {
		for _, r := range rounds[1:] {
			if err := write(r); err != nil {
				return err
			}
			n += int64(len(r))
		}
	}
	cpu, wall := process.CPU(p.PID())-cpu, time.Since(began)
	got, err := victoriaSum(addr)
	fmt.Printf("| VictoriaMetrics 1.79.5: /write, the same records, its series warm (it stores and indexes, a wider job) | %.1f µs of CPU a record, **%.0f records/s a core**; by the wall %.0f records/s over %d records; resident %d MiB; sum of power by query %.0f mW, by our decoder %d mW (%v) |\n",
		micros(cpu, n), float64(n)/cpu.Seconds(), float64(n)/wall.Seconds(), n, process.Resident(p.PID())>>20, got, sum, err)
	return nil
}

// victoriaSum asks for the sum of all devices' power.
func victoriaSum(addr string) (float64, error) {
	if resp, err := http.Get("http://" + addr + "/internal/force_flush"); err == nil {
		_ = resp.Body.Close()
	}
	resp, err := http.Get("http://" + addr + "/api/v1/query?" + url.Values{"query": {"sum(last_over_time(exameter_device_power_mean_mw[1h]))"}}.Encode())
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.Unmarshal(b, &answer); err != nil || len(answer.Data.Result) != 1 {
		return 0, fmt.Errorf("it answered %q", b)
	}
	text, _ := answer.Data.Result[0].Value[1].(string)
	return strconv.ParseFloat(text, 64)
}

// someRounds reads all reports of some hosts, by turn, and the sum of their devices' power in the last.
func someRounds(ctx context.Context, o *options, hosts int) (rounds [][][]byte, sum int64, err error) {
	turn := map[string]int{}
	last := map[string][]byte{}
	centre := sim.DefaultCentres()[0].ID
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	err = consumeAll(ctx, o, func(b *consume.Batch) bool {
		defer b.Done()
		if b.Inventory || b.Centre != centre {
			return true
		}
		for _, r := range b.Records {
			n, known := turn[string(r.Key)]
			if !known && len(turn) == hosts || n >= o.rounds {
				continue
			}
			turn[string(r.Key)] = n + 1
			if len(rounds) == n {
				rounds = append(rounds, nil)
			}
			v := append([]byte(nil), r.Value...)
			rounds[n], last[string(r.Key)] = append(rounds[n], v), v
		}
		return true
	}, nil)
	var d telemetry.Decoder
	var rep telemetry.Report
	for _, v := range last {
		if err := d.Report(v, &rep); err != nil {
			return nil, 0, err
		}
		for i := range rep.Devices {
			sum += int64(rep.Devices[i].PowerMean.Value)
		}
	}
	if err == nil && len(rounds) < 2 {
		err = fmt.Errorf("%d rounds", len(rounds))
	}
	return rounds, sum, err
}
