// Command agent measures what the agent costs the host it watches: resident memory and processor time, with eight
// simulated accelerators sampled every second, beside Prometheus's node_exporter scraped every second on the same
// machine at the same time. `make bench-agent` builds what it needs and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/exameter/exameter/test/process"
)

// nodeExporter is measured beside the agent. fewCollectors are those that read about what the agent reads.
const nodeExporter = "github.com/prometheus/node_exporter@v1.12.1"

var fewCollectors = []string{
	"--collector.disable-defaults", "--collector.cpu", "--collector.meminfo", "--collector.loadavg", "--collector.stat", "--collector.rapl",
}

func main() {
	settle := flag.Duration("settle", 10*time.Second, "time before the measurement begins")
	span := flag.Duration("for", 40*time.Second, "time to measure")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *settle, *span, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench-agent:", err)
		os.Exit(1)
	}
}

// program is one of those measured.
type program struct {
	name    string
	process *process.Process
	usage   []usage // first, then one a second
}

func run(ctx context.Context, settle, span time.Duration, out io.Writer) error {
	dir, err := os.MkdirTemp("", "exameter-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	exporter, err := build(ctx, dir)
	if err != nil {
		return err
	}
	programs := []*program{{name: "exameter-agent, 8 accelerators, lz4 to Kafka"}, {name: "node_exporter, defaults"}, {name: "node_exporter, 5 collectors"}}
	defer func() {
		for _, p := range programs {
			if p.process != nil {
				_ = p.process.Kill()
			}
		}
	}()
	agent, err := startAgent(dir)
	if err != nil {
		return err
	}
	defer agent.close()
	programs[0].process = agent.process
	for i, args := range [][]string{nil, fewCollectors} {
		p, err := startExporter(ctx, dir, exporter, i, args)
		if err != nil {
			return err
		}
		programs[i+1].process = p
	}
	if err := watch(ctx, programs, settle, span); err != nil {
		return err
	}
	records, err := agent.check()
	if err != nil {
		return err
	}
	return print(out, programs, records)
}

// build makes the agent, as packages carry it, and node_exporter, and returns the path of the latter.
func build(ctx context.Context, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, "packaging/build.sh", runtime.GOARCH, "bench", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the agent: %w\n%s", err, out)
	}
	bin, err := filepath.Abs(".cache/bin")
	if err != nil {
		return "", err
	}
	exporter := filepath.Join(bin, "node_exporter")
	if _, err := os.Stat(exporter); err == nil {
		return exporter, nil
	}
	fmt.Fprintln(os.Stderr, "bench-agent: building", nodeExporter)
	cmd = exec.CommandContext(ctx, "go", "install", nodeExporter)
	cmd.Env = append(os.Environ(), "GOBIN="+bin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", nodeExporter, err, out)
	}
	return exporter, nil
}

// startExporter runs node_exporter and scrapes it every second until it ends.
func startExporter(ctx context.Context, dir, path string, n int, args []string) (*process.Process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	args = append([]string{"--web.listen-address=" + addr}, args...)
	p, err := process.Start(filepath.Join(dir, fmt.Sprintf("node_exporter%d.log", n)), nil, path, args...)
	if err != nil {
		return nil, err
	}
	if err := scrape(ctx, addr, 10*time.Second); err != nil {
		return nil, errors.Join(fmt.Errorf("node_exporter does not answer: %w\n%s", err, p.Log()), p.Kill())
	}
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for range tick.C {
			if scrape(ctx, addr, 0) != nil && !p.Running() {
				return
			}
		}
	}()
	return p, nil
}

// scrape reads the metrics once, trying again for a while.
func scrape(ctx context.Context, addr string, patience time.Duration) error {
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
		if err != nil {
			return err
		}
		// Prometheus asks for this as well.
		req.Header.Set("Accept-Encoding", "gzip")
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if err == nil || time.Since(began) >= patience || ctx.Err() != nil {
			return err
		}
	}
}

// watch lets the programs settle and then reads their usage every second.
func watch(ctx context.Context, programs []*program, settle, span time.Duration) error {
	fmt.Fprintf(os.Stderr, "bench-agent: settling for %v, measuring for %v\n", settle, span)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < settle+span; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if time.Since(began) < settle {
			continue
		}
		for _, p := range programs {
			u, err := read(p.process.PID())
			if err != nil {
				return fmt.Errorf("%s is gone: %w\n%s", p.name, err, p.process.Log())
			}
			p.usage = append(p.usage, u)
		}
	}
	return nil
}

func print(out io.Writer, programs []*program, records int) error {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| program\t| resident MiB, mean\t| highest\t| proportional MiB\t| CPU, % of a core\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|")
	for _, p := range programs {
		if len(p.usage) < 2 {
			return errors.New("the measurement was too short")
		}
		var mean, highest, share float64
		for _, u := range p.usage {
			mean += mib(u.resident) / float64(len(p.usage))
			share += mib(u.share) / float64(len(p.usage))
			highest = max(highest, mib(u.resident))
		}
		first, last := p.usage[0], p.usage[len(p.usage)-1]
		cpu := 100 * float64(last.cpu-first.cpu) / float64(last.at.Sub(first.at))
		fmt.Fprintf(w, "| %s\t| %.1f\t| %.1f\t| %.1f\t| %.2f\t|\n", p.name, mean, highest, share, cpu)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nThe agent sent %d records meanwhile.\n", records)
	return err
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
