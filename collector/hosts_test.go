package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/feed/httpfeed"
	"github.com/exameter/exameter/collector/hosts"
	"github.com/exameter/exameter/telemetry"
)

// list asks for one page of hosts.
func (r *running) list(query string) *httpfeed.Hosts {
	r.t.Helper()
	code, body := r.get("/v1/hosts" + query)
	answer := &httpfeed.Hosts{}
	if err := json.Unmarshal([]byte(body), answer); err != nil || code != http.StatusOK {
		r.t.Fatalf("/v1/hosts%s: %d, %v: %s", query, code, err, body)
	}
	return answer
}

// all asks for every page.
func (r *running) all(query string) (list []hosts.Host) {
	r.t.Helper()
	cursor := ""
	for range 100 {
		page := r.list(query + cursor)
		if len(page.Missing) > 0 {
			r.t.Fatalf("missing: %+v", page.Missing)
		}
		list = append(list, page.Hosts...)
		if page.Next == "" {
			return list
		}
		cursor = "&cursor=" + url.QueryEscape(page.Next)
	}
	r.t.Fatalf("%s: more than a hundred pages", query)
	return nil
}

func ids(list []hosts.Host) (out []string) {
	for i := range list {
		out = append(out, list[i].Centre+"/"+list[i].Host)
	}
	return out
}

// two starts two collectors that share 12 parts with 24 servers of three cards, and returns what the servers are.
func two(t *testing.T, changeTwo func(*Config, *Options)) (one, other *running, servers []*server, p *producer) {
	t.Helper()
	broker := newBroker(t, 6, []string{"a", "b"})
	p = newProducer(t, broker)
	for i := range 24 {
		s := h200([]string{"a", "b"}[i%2], fmt.Sprintf("host-%02d", i), free, busy, drained)
		servers = append(servers, s)
		p.inventory(s.centre, s.inventory())
		p.report(s.centre, s.report())
	}
	one = start(t, broker.ListenAddrs(), nil)
	one.document("", rated(72))
	other = start(t, broker.ListenAddrs(), changeTwo)
	other.document("", rated(72))
	one.waitMetric("exameter_parts_owned", "6")
	other.waitMetric("exameter_parts_owned", "6")
	// The parts that moved stand in the view under their new owner.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		page := one.list("")
		handed := !slices.ContainsFunc(page.Missing, func(m hosts.Missing) bool { return m.Owner != page.Missing[0].Owner || m.Why == hosts.Moved })
		if len(page.Hosts) == 24 || changeTwo != nil && handed && len(page.Missing) == 6 {
			return one, other, servers, p
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d hosts, missing %+v", len(page.Hosts), page.Missing)
		}
	}
}

// TestHosts asks each of two collectors for the hosts of both: every host stands in its place once, whatever the size of a page, and the
// devices add up to the capacity document.
func TestHosts(t *testing.T) {
	one, other, servers, p := two(t, nil)
	var want []string
	for _, s := range servers {
		want = append(want, s.centre+"/"+s.id)
	}
	slices.Sort(want)
	for _, r := range []*running{one, other} {
		for _, limit := range []int{1, 5, 24, 1000} {
			list := r.all("?limit=" + strconv.Itoa(limit))
			if got := ids(list); !slices.Equal(got, want) {
				t.Errorf("limit %d: %v, want %v", limit, got, want)
			}
		}
		count, worth := map[string]int64{}, capacity.Flops(0)
		for _, h := range r.all("?limit=7") {
			if !h.Online || h.AgeS == nil || *h.AgeS < 0 || *h.AgeS > 30 || h.Name != h.Host || h.Cluster != "default" || h.Free != 1 || len(h.Devices) != 3 {
				t.Errorf("host %+v", h)
			}
			for _, d := range h.Devices {
				count[d.State]++
				worth += *d.Eflops
			}
			if d := h.Devices[1]; d.ID != "GPU-"+h.Host+"-1" || d.Model != "nvidia-h200-sxm" || d.Name != "NVIDIA H200" || d.Activity == nil || *d.Activity != 0.8 || d.ActivityOf != "sm" || *d.PowerW != 200 {
				t.Errorf("device %+v", d)
			}
		}
		doc := r.document("", rated(72))
		if d := doc.Total.Devices; count["free"] != d.Free || count["busy"] != d.Busy || count["drained"] != d.Drained || worth != doc.Total.Eflops.Rated {
			t.Errorf("devices %v worth %s, the document has %+v worth %s", count, worth.Eflops(), d, doc.Total.Eflops.Rated.Eflops())
		}
	}
	for _, r := range []*running{one, other} {
		if n := r.metric(`exameter_http_requests_total{code="200",path="/internal/v1/hosts"}`); n == "" || n == "0" {
			t.Errorf("a collector was never asked by the other: %q", n)
		}
	}
	filtersOf(t, one, p, servers)
}

// filtersOf asks for hosts with properties.
func filtersOf(t *testing.T, one *running, p *producer, servers []*server) {
	t.Helper()
	servers[5].states, servers[8].states = []telemetry.State{free, free, faulty}, []telemetry.State{free, free, free}
	p.report("b", servers[5].report())
	p.report("a", servers[8].report())
	one.document("", func(d *capacity.Document) bool { return d.Total.Devices.Free == 27 && d.Total.Devices.Faulty == 1 })
	for query, want := range map[string]string{
		"?free_min=2":           "a/host-08 b/host-05",
		"?free_min=2&sort=free": "a/host-08 b/host-05",
		"?state=faulty":         "b/host-05",
		"?state=faulty,drained&centre=b&host=host-0": "b/host-01 b/host-03 b/host-05 b/host-07 b/host-09",
		"?name=host-1*&centre=a":                     "a/host-10 a/host-12 a/host-14 a/host-16 a/host-18",
		"?name=host-11":                              "b/host-11",
		"?name=host-1":                               "",
		"?online=false":                              "",
		"?kind=cpu":                                  "",
		"?model=nvidia-a100-sxm":                     "",
		"?vendor=nvidia&domestic=no&class=intelligent&cluster=default&host=host-23&kind=all": "b/host-23",
		"?sort=free&limit=2": "a/host-08 b/host-05",
	} {
		page := one.list(query)
		if got := strings.Join(ids(page.Hosts), " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	page := one.list("?state=faulty")
	if h := page.Hosts[0]; h.Free != 2 || len(h.Devices) != 1 || h.Devices[0].State != "faulty" || page.Matching != 1 ||
		!slices.Equal(page.Reasons, []hosts.Reason{{Reason: "xid", Devices: 1}}) {
		t.Errorf("a host with a faulty card: %+v, %+v", h, page.Reasons)
	}
	// The oldest report comes first, and the two that came last stand at the end.
	list := ids(one.all("?sort=age&limit=5"))
	last := list[22:]
	slices.Sort(last)
	if len(list) != 24 || last[0]+last[1] != "a/host-08b/host-05" {
		t.Errorf("by age: %v", list)
	}
	page = one.list("?sort=free&limit=1")
	for query, want := range map[string]string{
		"?sort=free&centre=a&cursor=" + page.Next: "belongs to another question",
		"?sort=age&cursor=" + page.Next:           "belongs to another question",
		"?cursor=AAAA":                            "is not a cursor",
	} {
		if code, body := one.get("/v1/hosts" + query); code != 400 || !strings.Contains(body, want) || !strings.Contains(body, `"parameter":"cursor"`) {
			t.Errorf("%s: %d %s", query, code, body)
		}
	}
}

// TestHostsOfADeadOwner lists what can be listed, says which parts are missing and why, and does not take long, whatever stands at the
// address of a collector.
func TestHostsOfADeadOwner(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := nobody.Addr().String()
	nobody.Close()
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	for name, tc := range map[string]struct {
		address string
		answer  http.HandlerFunc
		why     string
		slow    string // why, on a machine that is too busy to find out in time
	}{
		"nobody listens":                {address: dead, why: hosts.Silent},
		"nobody answers":                {address: mute.Addr().String(), why: hosts.Silent},
		"something else answers":        {answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>hello")) }, why: hosts.Garbled},
		"a stranger answers":            {answer: replies(`{"schema":1,"instance":"stranger","rows":[],"upto":null,"matching":0,"missing":[]}`), why: hosts.Another},
		"an answer without an end":      {answer: func(w http.ResponseWriter, _ *http.Request) { endless(w) }, why: hosts.Garbled, slow: hosts.Silent},
		"it sends us elsewhere":         {answer: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://"+dead, http.StatusFound) }, why: hosts.Refused},
		"it does not know the question": {answer: http.NotFound, why: hosts.Refused},
		"it is crowded":                 {answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, why: hosts.Crowded},
		"hosts that nobody asked for": {
			answer: replies(`{"schema":1,"instance":"other","rows":[{"key":{"c":"z","h":"h"},"host":{"centre":"z","host":"h"}}],"upto":null,"matching":1}`), why: hosts.Garbled,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.answer != nil {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				s := &http.Server{Handler: tc.answer, ReadHeaderTimeout: time.Second}
				go func() { _ = s.Serve(l) }()
				t.Cleanup(func() { _ = s.Close() })
				tc.address = l.Addr().String()
			}
			one, _, _, _ := two(t, func(c *Config, _ *Options) { c.Instance, c.HTTP.Advertise = "other", tc.address })
			series := func(why string) string {
				return `exameter_peer_questions_total{result="` + map[string]string{
					hosts.Silent: "silent", hosts.Garbled: "garbled", hosts.Another: "another", hosts.Refused: "refused", hosts.Crowded: "crowded",
				}[why] + `"}`
			}
			count := func(why string) int {
				n, _ := strconv.Atoi(one.metric(series(why)))
				return n
			}
			before := map[string]int{tc.why: count(tc.why)}
			if tc.slow != "" {
				before[tc.slow] = count(tc.slow)
			}
			began := time.Now()
			page := one.list("")
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("took %s", took)
			}
			if len(page.Missing) != 6 || page.Missing[0].Owner != "other" {
				t.Fatalf("missing: %+v", page.Missing)
			}
			why := page.Missing[0].Why
			if _, told := before[why]; !told {
				t.Errorf("missing: %+v", page.Missing)
			}
			parts := map[string]bool{}
			for _, m := range page.Missing {
				parts[m.Centre+strconv.Itoa(m.Part)] = true
			}
			if len(parts) != 6 || len(page.Hosts) == 0 || len(page.Hosts) == 24 || int(page.Matching) != len(page.Hosts) {
				t.Errorf("%d hosts, %d match, missing %v", len(page.Hosts), page.Matching, parts)
			}
			if after := count(why); after != before[why]+1 {
				t.Errorf("%s went from %d to %d", series(why), before[why], after)
			}
			// What the figures say does not change for it.
			if d := one.document("", rated(72)).Total.Devices; d.Rated != 72 {
				t.Errorf("rated %d", d.Rated)
			}
		})
	}
}

func replies(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

// endless writes an answer for as long as somebody reads it.
func endless(w http.ResponseWriter) {
	_, _ = w.Write([]byte(`{"schema":1,"instance":"other","rows":[],"x":"`))
	chunk := []byte(strings.Repeat("x", 1<<16))
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// TestHostsOfOneCard moves a card, as one does that is pulled out of a dead host, into a host of another part: it is listed once, on the host
// on which it counts, by whichever collector is asked.
func TestHostsOfOneCard(t *testing.T) {
	one, other, servers, p := two(t, nil)
	from, to := servers[0], servers[1]
	to.states = append(to.states, busy)
	inv, report := to.inventory(), to.report()
	inv.Devices[3].ID, report.Devices[3].ID = from.device(0), from.device(0)
	p.inventory("b", inv)
	p.report("b", report)
	for _, r := range []*running{one, other} {
		// The card is busy now, and was free.
		r.document("", func(d *capacity.Document) bool { return d.Total.Devices.Busy == 25 && d.Total.Devices.Free == 23 })
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			var on []string
			n, elsewhere := 0, map[string]int{}
			for _, h := range r.all("?limit=9") {
				elsewhere[h.Host] = h.Elsewhere
				for _, d := range h.Devices {
					if n++; d.ID == from.device(0) {
						on = append(on, fmt.Sprint(h.Host, " ", d.State, " ", d.Contested, " ", d.NotCounted))
					}
				}
			}
			if n == 72 && len(on) == 1 && on[0] == to.id+" busy true " && elsewhere[from.id] == 1 && elsewhere[to.id] == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d devices, the card on %q, elsewhere %v", n, on, elsewhere)
			}
		}
		why := r.explain("?centre=a")
		if c := why.NotCounted[3]; c.What != "contested" || *c.Devices != 1 || *c.Hosts != 1 {
			t.Errorf("contested: %s", dump(c))
		}
	}
}

func dump(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// explain asks how a figure came about.
func (r *running) explain(query string) *httpfeed.Explanation {
	r.t.Helper()
	code, body := r.get("/v1/explain" + query)
	answer := &httpfeed.Explanation{}
	if err := json.Unmarshal([]byte(body), answer); err != nil || code != http.StatusOK {
		r.t.Fatalf("/v1/explain%s: %d, %v: %s", query, code, err, body)
	}
	return answer
}

// TestExplain follows a figure of the province down to a device.
func TestExplain(t *testing.T) {
	one, other, servers, _ := two(t, nil)
	for _, r := range []*running{one, other} {
		e := r.explain("?hosts=3&precision=fp16")
		doc := r.document("?precision=fp16", rated(72))
		if e.Total.Eflops != doc.Total.Eflops || e.Total.Devices != doc.Total.Devices || len(e.Centres) != 2 || e.Rule != "dense-nameplate/1" {
			t.Fatalf("total %+v, centres %+v", e.Total, e.Centres)
		}
		for _, c := range e.Centres {
			if len(c.Pools) != 1 || c.Pools[0].Equation != "36 devices × 989.5 Tflop/s = 0.035622 Eflops" {
				t.Fatalf("%s: %+v", c.Centre, c.Pools)
			}
			if entry := c.Pools[0].Catalogue; entry == nil || entry.ID != "nvidia-h200-sxm" || entry.Confidence != "datasheet" || entry.Source == "" || entry.Differs || entry.Version != e.Catalogue {
				t.Errorf("catalogue %+v", entry)
			}
		}
		if len(e.Hosts) != 3 || len(e.Missing) != 0 || *e.Hosts[0].Devices[0].Eflops != 989_500_000 || e.Hosts[0].Host != servers[0].id {
			t.Errorf("hosts %+v, missing %+v", e.Hosts, e.Missing)
		}
	}
}

// TestTurns lets as many questions in as there are turns, and sends others away before they wait for long.
func TestTurns(t *testing.T) {
	turn := make(turns, 2)
	end, err := turn.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := turn.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := turn.take(t.Context()); !errors.Is(err, errCrowded) || time.Since(began) > 2*waitWithin {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := turn.take(gone); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	end()
	if _, err := turn.take(t.Context()); err != nil {
		t.Error(err)
	}
}
