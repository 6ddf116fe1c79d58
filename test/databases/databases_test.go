// Package databases writes the collector's figures to real databases, InfluxDB and VictoriaMetrics as Debian packages them, and
// asks for them there.
package databases

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/sim"
	"github.com/exameter/exameter/test/process"
)

const programs = "../../.cache/databases/usr/bin"

// readyWithin bounds the start of a database on a slow and busy machine.
const readyWithin = time.Minute

// TestInfluxDB writes by the API of InfluxDB v1, to a database that asks for a name and a password.
func TestInfluxDB(t *testing.T) {
	dir, addr := t.TempDir(), process.FreeAddr(t)
	conf := fmt.Sprintf(`reporting-disabled = true
bind-address = %q
[meta]
dir = %q
[data]
dir = %q
wal-dir = %q
[http]
bind-address = %q
auth-enabled = true
log-enabled = false
[monitor]
store-enabled = false
`, process.FreeAddr(t), filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), addr)
	if err := os.WriteFile(filepath.Join(dir, "influxdb.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "http://"+addr+"/ping", "influxd", "run", "-config", filepath.Join(dir, "influxdb.conf"))
	ask := func(method, q string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+"/query?db=exameter&q="+url.QueryEscape(q), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("meter", "a secret")
		return do(t, r)
	}
	ask(http.MethodPost, `CREATE USER meter WITH PASSWORD 'a secret' WITH ALL PRIVILEGES`)
	ask(http.MethodPost, `CREATE DATABASE exameter`)
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte("a secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := province(t, func(c *collector.Config) {
		c.Write.URL, c.Write.Username, c.Write.TokenFile = "http://"+addr+"/write?db=exameter", "meter", secret
	})
	p.compare(t, func(field, tags string, revision int64) string {
		var where []string
		for _, tag := range strings.Split(tags, ",") {
			name, value, _ := strings.Cut(tag, "=")
			where = append(where, fmt.Sprintf("%s = '%s'", name, value))
		}
		var got struct {
			Results []struct{ Series []struct{ Values [][]any } }
		}
		body := ask(http.MethodGet, fmt.Sprintf("SELECT %s FROM exameter_capacity WHERE %s AND revision = %d", field, strings.Join(where, " AND "), revision))
		d := json.NewDecoder(strings.NewReader(body))
		d.UseNumber()
		if err := d.Decode(&got); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if len(got.Results) == 0 || len(got.Results[0].Series) == 0 || len(got.Results[0].Series[0].Values) == 0 {
			return ""
		}
		return fmt.Sprint(got.Results[0].Series[0].Values[0][1])
	})
	// It is a number of a kind that adds up, and not a text.
	if got := ask(http.MethodGet, "SHOW FIELD KEYS FROM exameter_capacity"); !strings.Contains(got, `["devices_free","integer"]`) || !strings.Contains(got, `["eflops_free","float"]`) {
		t.Errorf("the fields are %s", got)
	}
}

// TestVictoriaMetrics writes by the API of InfluxDB v2, which it has as well.
func TestVictoriaMetrics(t *testing.T) {
	for _, path := range []string{"/write", "/api/v2/write?org=province&bucket=exameter"} {
		t.Run(strings.TrimLeft(path[:strings.IndexAny(path+"?", "?")], "/"), func(t *testing.T) {
			dir, addr := t.TempDir(), process.FreeAddr(t)
			run(t, "http://"+addr+"/health", "victoria-metrics", "-storageDataPath", filepath.Join(dir, "data"), "-httpListenAddr", addr, "-retentionPeriod", "1", "-search.latencyOffset", "0s")
			token := filepath.Join(dir, "token")
			if err := os.WriteFile(token, []byte("anything"), 0o600); err != nil {
				t.Fatal(err)
			}
			p := province(t, func(c *collector.Config) { c.Write.URL, c.Write.TokenFile = "http://"+addr+path, token })
			p.compare(t, func(field, tags string, revision int64) string {
				// Series of one line have one time, so the figure is the one at the time of its revision.
				export := func(field string) (values []json.Number, times []int64) {
					match := "exameter_capacity_" + field + "{" + strings.ReplaceAll(tags, "=", `="`)
					match = strings.ReplaceAll(match, ",", `",`) + `"}`
					r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/api/v1/export?match[]="+url.QueryEscape(match), nil)
					if err != nil {
						t.Fatal(err)
					}
					for line := range strings.Lines(do(t, r)) {
						var got struct {
							Values     []json.Number
							Timestamps []int64
						}
						if err := json.Unmarshal([]byte(line), &got); err != nil {
							t.Fatalf("%s: %v", line, err)
						}
						values, times = append(values, got.Values...), append(times, got.Timestamps...)
					}
					return values, times
				}
				revisions, at := export("revision")
				values, times := export(field)
				for i := range revisions {
					if revisions[i].String() != fmt.Sprint(revision) {
						continue
					}
					for j := range times {
						if times[j] == at[i] {
							return values[j].String()
						}
					}
				}
				return ""
			})
		})
	}
}

// run starts a database and waits until it answers.
func run(t *testing.T, health, program string, args ...string) {
	t.Helper()
	path := filepath.Join(programs, program)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make databases", err)
	}
	p, err := process.Start(filepath.Join(t.TempDir(), "log"), nil, path, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log of %s:\n%s", program, p.Log())
		}
	})
	for deadline := time.Now().Add(readyWithin); ; time.Sleep(50 * time.Millisecond) {
		if resp, err := http.Get(health); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode/100 == 2 {
				return
			}
		}
		if time.Now().After(deadline) || !p.Running() {
			t.Fatalf("%s does not answer", program)
		}
	}
}

func do(t *testing.T, r *http.Request) string {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s: %s %v", resp.Status, b, err)
	}
	return string(b)
}

// observed is what a collector that writes to the database answers, by revision.
type observed struct {
	mu   sync.Mutex
	docs map[int64]*capacity.Document
}

// province runs a small simulated province and its collector until the test ends, and keeps what it answers.
func province(t *testing.T, change func(*collector.Config)) *observed {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	b, err := localbroker.Start(localbroker.Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	sp, err := sim.New(sim.Spec{Seed: 3, Hosts: 60, Interval: 2 * time.Second, Speed: 30, Version: "test"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cfg := collector.DefaultConfig()
	cfg.Kafka.Brokers, cfg.HTTP.Listen, cfg.Write.Interval = []string{b.Addr()}, "127.0.0.1:0", config.Duration(time.Second)
	change(&cfg)
	client, transport, err := cfg.Kafka.Client("test")
	if err != nil {
		t.Fatal(err)
	}
	defer transport.CloseIdleConnections()
	topics := broker.SharedTopics()
	for _, c := range sp.Centres() {
		topics = append(topics, broker.CentreTopics(c, 1)...)
	}
	if _, err := broker.Create(t.Context(), client, localbroker.Bounded(topics, time.Minute), 1); err != nil {
		t.Fatal(err)
	}
	o := &observed{docs: map[int64]*capacity.Document{}}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		stop()
		running.Wait()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	running.Go(func() {
		d := &sim.Driver{Province: sp, Broker: cfg.Kafka, Log: quiet}
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	addr := make(chan string, 1)
	running.Go(func() {
		if err := collector.Run(ctx, cfg, collector.Options{Log: quiet, Version: "test", Ready: func(a string) { addr <- a }}); err != nil {
			t.Error(err)
		}
	})
	at := <-addr
	running.Go(func() { o.follow(ctx, "http://"+at+"/v1/capacity?by=centre") })
	return o
}

// follow keeps every answer that it can get.
func (o *observed) follow(ctx context.Context, url string) {
	for ; ctx.Err() == nil; time.Sleep(2 * time.Millisecond) {
		resp, err := http.Get(url)
		if err != nil {
			continue
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		var doc capacity.Document
		if err == nil && resp.StatusCode == http.StatusOK && json.NewDecoder(bytes.NewReader(b)).Decode(&doc) == nil {
			o.mu.Lock()
			o.docs[doc.Revision] = &doc
			o.mu.Unlock()
		}
	}
}

// number reads what one prints as 0.00001 and another as 1e-05.
func number(s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return -1
	}
	return f
}

// compare looks the figures of revisions that were observed up in a database, until three of them are there, which must say the same: of
// the province and of every centre.
func (o *observed) compare(t *testing.T, lookUp func(field, tags string, revision int64) string) {
	t.Helper()
	found := 0
	seen := map[int64]bool{}
	for deadline := time.Now().Add(40 * time.Second); found < 3; time.Sleep(300 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("of %d revisions that were observed, %d stand in the database", len(o.docs), found)
		}
		o.mu.Lock()
		docs := map[int64]*capacity.Document{}
		for r, d := range o.docs {
			docs[r] = d
		}
		o.mu.Unlock()
		for r, doc := range docs {
			if seen[r] || found >= 3 || lookUp("revision", "scope=province", r) == "" {
				continue
			}
			seen[r] = true
			found++
			check := func(tags string, f *capacity.Figure) {
				t.Helper()
				for field, want := range map[string]string{
					"devices_rated": fmt.Sprint(f.Devices.Rated), "devices_free": fmt.Sprint(f.Devices.Free), "devices_busy": fmt.Sprint(f.Devices.Busy),
					"hosts_online": fmt.Sprint(f.Hosts.Online), "eflops_rated": f.Eflops.Rated.Eflops(), "eflops_free": f.Eflops.Free.Eflops(),
				} {
					if got := lookUp(field, tags, r); number(got) != number(want) || got == "" {
						t.Errorf("revision %d, %s, %s: the database has %q, the collector answered %s", r, tags, field, got, want)
					}
				}
			}
			check("scope=province", &doc.Total)
			for i := range doc.Groups {
				check("scope=centre,centre="+doc.Groups[i].Centre, &doc.Groups[i].Figure)
			}
		}
	}
	t.Logf("%d revisions compared, of %d observed", found, len(o.docs))
}
