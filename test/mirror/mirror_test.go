// Package mirror runs a centre with a Kafka of its own, which a real MirrorMaker 2 copies to the province's, where the collector reads it.
package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/kafka"
	"github.com/exameter/exameter/test/process"
)

const (
	soon       = 90 * time.Second
	centre     = "guian-lake"
	partitions = 2
)

// land is a centre and the province.
type land struct {
	*testing.T
	dir              string
	centre, province *kafka.Cluster
	mirror           *kafka.Mirror
	api              string
}

func (l *land) path(name string) string { return filepath.Join(l.dir, name) }

func (l *land) write(name, text string) {
	l.Helper()
	if err := os.WriteFile(l.path(name), []byte(text), 0o600); err != nil {
		l.Fatal(err)
	}
}

func (l *land) exec(program string, args ...string) {
	l.Helper()
	if out, err := exec.CommandContext(l.Context(), program, args...).CombinedOutput(); err != nil {
		l.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
}

func (l *land) start(name string, env []string, program string, args ...string) *process.Process {
	l.Helper()
	p, err := process.Start(l.path(name+".log"), env, l.path(program), args...)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() {
		_ = p.Kill()
		if l.Failed() {
			l.Logf("end of the log of %s:\n%s", name, p.Log())
		}
	})
	return p
}

func newLand(t *testing.T) *land {
	t.Helper()
	l := &land{T: t, dir: t.TempDir(), api: process.FreeAddr(t)}
	l.exec("go", "build", "-buildvcs=false", "-o", l.dir+"/", "../../cmd/exameter", "../../cmd/exameter-agent", "../../cmd/exameter-collector")
	l.centre, l.province = kafka.Run(t, kafka.Options{Heap: "256m"}), kafka.Run(t, kafka.Options{Heap: "256m", Relayed: true})
	for _, c := range []*kafka.Cluster{l.centre, l.province} {
		l.exec(l.path("exameter"), "topics", "create", "--brokers", strings.Join(c.Addrs(), ","), "--centre", centre, "--partitions", fmt.Sprint(partitions), "--replicas", "1")
	}
	var err error
	// The mirror stands in the centre: between it and the province lies the link.
	if l.mirror, err = kafka.StartMirror(l.dir, kafka.MirrorSettings(l.centre.Addrs(), l.province.RelayedAddrs())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = l.mirror.Kill()
		if t.Failed() {
			t.Logf("end of the log of the mirror:\n%s", l.mirror.Log())
		}
	})
	library, err := filepath.Abs("../nvmlsim/libnvidia-ml-sim.so")
	if err != nil {
		t.Fatal(err)
	}
	l.write("cards", "cards = 8\n")
	l.write("agent.yaml", fmt.Sprintf("centre: %s\nhost:\n  id: host\nkafka:\n  brokers: [%s]\nintervals:\n  sample: 200ms\n  report: 1s\nsources:\n  nvml:\n    library: %s\npaths:\n  state: %s\n",
		centre, strings.Join(l.centre.Addrs(), ", "), library, l.path("state")))
	l.write("registry.yaml", "centres:\n  - id: "+centre+"\n")
	l.write("collector.yaml", fmt.Sprintf("kafka:\n  brokers: [%s]\nhttp:\n  listen: %s\nregistry: %s\nstale_after: 5s\n", strings.Join(l.province.Addrs(), ", "), l.api, l.path("registry.yaml")))
	l.start("collector", nil, "exameter-collector", "run", "--config", l.path("collector.yaml"))
	l.start("agent", []string{"EXAMETER_NVMLSIM=" + l.path("cards")}, "exameter-agent", "run", "--config", l.path("agent.yaml"))
	return l
}

func (l *land) devices() (capacity.Devices, error) {
	resp, err := http.Get("http://" + l.api + "/v1/capacity")
	if err != nil {
		return capacity.Devices{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return capacity.Devices{}, fmt.Errorf("%s: %s: %w", resp.Status, b, err)
	}
	var doc capacity.Document
	err = json.Unmarshal(b, &doc)
	return doc.Total.Devices, err
}

// becomes waits until the collector's figures are so, and returns how long that took.
func (l *land) becomes(want capacity.Devices) time.Duration {
	l.Helper()
	began := time.Now()
	for {
		got, err := l.devices()
		if err == nil && got == want {
			return time.Since(began)
		}
		if time.Since(began) > soon {
			l.Fatalf("the collector says %+v, %v; want %+v", got, err, want)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// said are the reports in a cluster, by partition, each by its boot and number.
func (l *land) said(c *kafka.Cluster) (out [partitions][]string) {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), soon)
	defer cancel()
	topic := telemetry.TelemetryTopic(centre)
	for n := range partitions {
		leader, err := kafkago.DialLeader(ctx, "tcp", c.Addrs()[0], topic, n)
		if err != nil {
			l.Fatal(err)
		}
		_, end, err := leader.ReadOffsets()
		leader.Close()
		if err != nil {
			l.Fatal(err)
		}
		r := kafkago.NewReader(kafkago.ReaderConfig{Brokers: c.Addrs(), Topic: topic, Partition: n, MaxWait: time.Second, MaxBytes: 8 << 20})
		defer r.Close()
		var d telemetry.Decoder
		for at := int64(0); at < end; {
			m, err := r.ReadMessage(ctx)
			if err != nil {
				l.Fatal(err)
			}
			at = m.Offset + 1
			var report telemetry.Report
			if err := d.Report(m.Value, &report); err != nil {
				l.Fatal(err)
			}
			out[n] = append(out[n], fmt.Sprintf("%s %d", report.Boot, report.Seq))
		}
	}
	return out
}

// arrived waits until the province has what the centre had when it was called, and returns both.
func (l *land) arrived() (had, has [partitions][]string) {
	l.Helper()
	had = l.said(l.centre)
	for began := time.Now(); ; time.Sleep(500 * time.Millisecond) {
		has = l.said(l.province)
		missing := 0
		for n := range had {
			for _, one := range had[n] {
				if !slices.Contains(has[n], one) {
					missing++
				}
			}
		}
		if missing == 0 {
			return had, has
		}
		if time.Since(began) > soon {
			for n := range had {
				for i, one := range had[n] {
					if !slices.Contains(has[n], one) {
						l.Logf("partition %d: report %d of %d, %s, has not arrived", n, i, len(had[n]), one)
					}
				}
			}
			l.Fatalf("%d of the centre's reports have not arrived; the province has %d and %d", missing, len(has[0]), len(has[1]))
		}
	}
}

func TestMirroredCentre(t *testing.T) {
	l := newLand(t)
	free := capacity.Devices{Rated: 8, Online: 8, Healthy: 8, Free: 8}
	l.becomes(free)

	l.province.Cut(true)
	silent := l.becomes(capacity.Devices{Rated: 8, Stale: 8})
	time.Sleep(10 * time.Second)
	l.province.Cut(false)
	back := l.becomes(free)
	t.Logf("the link was cut: the centre counted as silent after %v, and as online %v after the link was whole", silent.Round(time.Millisecond), back.Round(time.Millisecond))
	had, has := l.arrived()
	for n := range had {
		if got := has[n][:min(len(has[n]), len(had[n]))]; !slices.Equal(got, had[n]) {
			t.Errorf("partition %d: of %d reports of the centre, the province has others, or in another order, or twice", n, len(had[n]))
		}
	}

	// A mirror that is killed may copy again what it had copied: nothing is lost, nothing counts twice, and figures do not go back.
	if err := l.mirror.Kill(); err != nil {
		t.Fatal(err)
	}
	l.becomes(capacity.Devices{Rated: 8, Stale: 8})
	if err := l.mirror.Start(); err != nil {
		t.Fatal(err)
	}
	back = l.becomes(free)
	had, has = l.arrived()
	twice := 0
	for n := range has {
		twice += len(has[n]) - len(slices.Compact(slices.Sorted(slices.Values(has[n]))))
	}
	t.Logf("the mirror was killed: the centre was online %v after its start; %d of %d reports were copied twice", back.Round(time.Millisecond), twice, len(had[0])+len(had[1]))
	for range 40 {
		if got, err := l.devices(); err != nil || got != free {
			t.Fatalf("the figures became %+v, %v", got, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
