package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/sim"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/process"
)

// collect is a process that is a collector as it runs in earnest. Where the bench says so, hosts do not fall stale for an
// hour: what was written may be minutes old.
func collect(ctx context.Context, o *options) error {
	cfg := collector.DefaultConfig()
	cfg.Kafka, cfg.HTTP.Listen, cfg.StaleAfter = *o.kafka(), "127.0.0.1:0", config.Duration(o.stale)
	defer profiling(o.profile)()
	debug.SetGCPercent(collector.GCPercent) // as exameter-collector does
	return collector.Run(ctx, cfg, collector.Options{
		Log: slog.New(slog.DiscardHandler), Version: "bench", Ready: func(addr string) { say(progress{Text: addr}) },
	})
}

// ask gets the figures of one centre, or of all.
func ask(ctx context.Context, addr, query string) (*capacity.Document, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/v1/capacity?"+query, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", resp.Status)
	}
	var d capacity.Document
	return &d, json.Unmarshal(b, &d)
}

// until asks until the answer is right.
func until(ctx context.Context, addr, query string, every time.Duration, right func(*capacity.Document) bool) error {
	for {
		d, err := ask(ctx, addr, query)
		if err == nil && right(d) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(every):
		}
	}
}

// measureCold starts a collector that knows nothing, on both cores.
func measureCold(ctx context.Context, o *options) error {
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	began := time.Now()
	var failed error
	err := child(ctx, o, "0,1", func(pid int, p progress) bool {
		failed = until(ctx, p.Text, "", 20*time.Millisecond, func(d *capacity.Document) bool {
			return d.Total.Hosts.Rated >= int64(o.hosts) && d.Total.Hosts.Online >= int64(o.hosts)
		})
		took, cpu := time.Since(began), process.CPU(pid)
		if failed == nil {
			failed = until(ctx, p.Text, "", 20*time.Millisecond, func(*capacity.Document) bool {
				resp, err := http.Get("http://" + p.Text + "/readyz")
				if err != nil {
					return false
				}
				_ = resp.Body.Close()
				return resp.StatusCode == http.StatusOK
			})
		}
		ready, all := time.Since(began), process.CPU(pid)
		time.Sleep(3 * time.Second)
		fmt.Printf("| cold start on two cores, the broker on one of them: %d inventories and %d reports to read, every host new | every host online after **%.1f s** (%.1f s of CPU), all records read after %.1f s (%.1f s of CPU); resident %d MiB, %d B an accelerator |\n",
			o.hosts, o.hosts*o.rounds, took.Seconds(), cpu.Seconds(), ready.Seconds(), all.Seconds(), process.Resident(pid)>>20, process.Resident(pid)/int64(8*o.hosts))
		return false
	}, "-role", "collect", "-stale", "1h")
	return errors.Join(failed, err)
}

// probeCentre has the one host whose changes are timed.
const probeCentre = "probe"

// measureLatency times changes of a device from the encoder to the answer, while the province reports at its ordinary pace.
func measureLatency(ctx context.Context, o *options) error {
	s := spec(o)
	s.Interval, s.Calm, s.Speed = 10*time.Second, false, 1
	p, err := sim.New(s, time.Now())
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, 3*time.Minute)
	defer stop()
	driving, halt := context.WithCancel(ctx)
	d := &sim.Driver{Province: p, Broker: *o.kafka(), Log: slog.Default()}
	driven := make(chan error, 1)
	go func() { driven <- d.Run(driving) }()
	var failed error
	err = child(ctx, o, "0,1", func(pid int, at progress) bool {
		failed = latency(ctx, o, at.Text, pid, d)
		halt()
		if err := <-driven; err != nil || failed != nil {
			failed = errors.Join(failed, err)
			return false
		}
		failed = exact(ctx, o, at.Text, p)
		return false
	}, "-role", "collect")
	halt()
	return errors.Join(failed, err)
}

// exact holds the collector's answer against the simulation's own ledger, centre by centre, to the last digit.
func exact(ctx context.Context, o *options, addr string, p *sim.Province) error {
	ctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	differs := ""
	err := until(ctx, addr, "by=centre&kind=all", 100*time.Millisecond, func(d *capacity.Document) bool {
		differs = ""
		want := p.Books(d.AsOf, o.stale).Summary(catalog.Default())
		said := map[string]sim.Figures{}
		for i := range d.Groups {
			said[d.Groups[i].Centre] = sim.Figures{Devices: d.Groups[i].Devices, Eflops: d.Groups[i].Eflops}
		}
		for _, c := range want.Centres {
			if said[c.Centre] != c.Figures {
				differs = fmt.Sprintf("%s: the ledger has %+v, the collector %+v", c.Centre, c.Figures, said[c.Centre])
			}
		}
		return differs == ""
	})
	if err != nil {
		return fmt.Errorf("%w: %s", err, differs)
	}
	fmt.Println("| the collector's figures of every centre against the simulation's ledger, devices and Eflops by state, processors included | equal to the last digit |")
	return nil
}

func latency(ctx context.Context, o *options, addr string, pid int, d *sim.Driver) error {
	h := telemetry.Header{Origin: telemetry.Origin{Centre: probeCentre, Cluster: "default", Host: "probe"}, Boot: time.Now().Format("b20060102150405")}
	w := &kafka.Writer{Addr: kafka.TCP(o.brokers), Balancer: kafka.Murmur2Balancer{}, RequiredAcks: kafka.RequireAll, Compression: kafka.Lz4, BatchSize: 1}
	defer w.Close()
	var enc telemetry.Encoder
	change := func(state telemetry.State) error {
		h.Time, h.Seq = time.Now(), h.Seq+1
		topic := telemetry.TelemetryTopic(probeCentre)
		b, err := enc.AppendReport(nil, &telemetry.Report{Header: h, Devices: []telemetry.DeviceStatus{{ID: "GPU-probe", State: state}}})
		if state == "" {
			topic = telemetry.InventoryTopic(probeCentre)
			b, err = enc.AppendInventory(nil, &telemetry.Inventory{Header: h, Devices: []telemetry.DeviceInfo{{ID: "GPU-probe", Vendor: "nvidia", Name: "NVIDIA H20"}}})
		}
		if err != nil {
			return err
		}
		return w.WriteMessages(ctx, kafka.Message{Topic: topic, Key: []byte(h.Host), Value: b})
	}
	const query = "centre=" + probeCentre
	is := func(state telemetry.State) error {
		return until(ctx, addr, query, 2*time.Millisecond, func(d *capacity.Document) bool {
			v := d.Total.Devices
			return v.Rated == 1 && v.Busy == map[telemetry.State]int64{telemetry.Busy: 1}[state]
		})
	}
	if err := errors.Join(change(""), change(telemetry.Free), is(telemetry.Free)); err != nil {
		return err
	}
	time.Sleep(15 * time.Second) // the collector reads what lies there, and the simulation's ramp ends
	var took []time.Duration
	began, cpu, records := time.Now(), process.CPU(pid), d.Counts().Records
	state := telemetry.Busy
	for range 120 {
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
		at := time.Now()
		if err := errors.Join(change(state), is(state)); err != nil {
			return err
		}
		took = append(took, time.Since(at))
		if state = telemetry.Busy; len(took)%2 == 1 {
			state = telemetry.Free
		}
	}
	n, span := d.Counts().Records-records, time.Since(began)
	cpu = process.CPU(pid) - cpu
	slices.Sort(took)
	ms := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1e3 }
	fmt.Printf("| from a device's change at the encoder to the API, %d changes, the province reporting %.0f records/s in larger batches | p50 **%.0f ms**, p99 **%.0f ms**, max %.0f ms; the collector took %.2f of a core (%.1f µs a record), resident %d MiB |\n",
		len(took), float64(n)/span.Seconds(), ms(0.5), ms(0.99), ms(1), cpu.Seconds()/span.Seconds(), micros(cpu, n), process.Resident(pid)>>20)
	return nil
}
