package httpfeed

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/hosts"
)

// lister is the collectors' lists of hosts, as a question about them comes and as a page of them goes.
type lister struct {
	asked hosts.Query
	page  hosts.Page
	err   error
}

func (l *lister) handler(t *testing.T, ready bool) http.Handler {
	src := source(t, province(), ready)
	src.Hosts = func(_ context.Context, q hosts.Query) (hosts.Page, error) {
		l.asked = q
		return l.page, l.err
	}
	src.OwnHosts = func(_ context.Context, req *hosts.Request) (*hosts.Reply, error) {
		l.asked = req.Query
		return &hosts.Reply{Schema: hosts.Schema, Instance: "one", Rows: []hosts.Row{}, Matching: l.page.Matching, Missing: []hosts.Missing{}}, l.err
	}
	return Handler(src)
}

// somePage has a host with something of everything, and a part that is missing.
func somePage() hosts.Page {
	worth := capacity.Flops(989_500_000)
	return hosts.Page{
		Matching: 3, Reasons: []hosts.Reason{{Reason: "cores", Devices: 2}, {Reason: "slices", Devices: 1}}, Next: &hosts.Key{Centre: "guian", Host: "h-1"},
		Missing: []hosts.Missing{{Centre: "guiyang", Part: 4, Owner: "two:8470", Why: hosts.Silent}},
		Hosts: []hosts.Host{
			{
				Centre: "guian", Cluster: "default", Host: "h-0", Name: "gpu-0", Online: true, AgeS: new(2.125), Free: 1, Elsewhere: 1,
				Pools: []hosts.Pool{{Cluster: "default", Kind: "accelerator", Vendor: "nvidia", Model: "nvidia-h200-sxm", Class: "intelligent", Domestic: "no", Devices: 2, Free: 1}},
				Devices: []hosts.Device{
					{ID: "GPU-1", Kind: "accelerator", Vendor: "nvidia", Name: "NVIDIA H200", Model: "nvidia-h200-sxm", Class: "intelligent", State: "busy", Reason: "slices", Eflops: &worth, PowerW: new(512.25), Activity: new(0.97), ActivityOf: "sm", BusyShare: new(0.25), Contested: true},
					{ID: "GPU-2", Kind: "accelerator", Vendor: "nvidia", Name: "NVIDIA H200", Model: "nvidia-h200-sxm", Class: "intelligent", State: "free", Eflops: &worth, NotCounted: hosts.Unsettled},
					{ID: "h-0", Kind: "cpu", Vendor: "hygon", Name: "Hygon C86 7285", Model: "hygon-c86-7285", Class: "general", State: "busy", Reason: "cores", Cores: 64, CoresBusy: new(int64(40))},
				},
			},
			{Centre: "guian", Host: "h-1", NotCounted: hosts.Uninventoried, Pools: []hosts.Pool{}, Devices: []hosts.Device{}},
		},
	}
}

func TestHosts(t *testing.T) {
	l := &lister{page: somePage()}
	h := l.handler(t, true)
	w := get(h, "GET", "/v1/hosts?kind=all&centre=guian,guiyang&state=busy,free&state=faulty&online=true&free_min=2&sort=free&limit=2&host=h-&name=gpu*&model=m&vendor=v&class=super&domestic=yes&cluster=hpc&precision=fp64")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("ETag") != "" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d, headers %v", w.Code, w.Header())
	}
	golden(t, "hosts.json", w.Body.Bytes())
	asked, err := json.Marshal(l.asked)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "hosts-asked.json", asked)

	// The next page is asked for with the cursor of this one, by the same question.
	var answer Hosts
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	get(h, "GET", "/v1/hosts?cursor="+get2(t, h, "/v1/hosts").Next)
	if l.asked.After == nil || *l.asked.After != (hosts.Key{Centre: "guian", Host: "h-1"}) || l.asked.Limit != hosts.DefaultLimit {
		t.Errorf("asked %+v", l.asked)
	}
	l.page.Next = nil
	if next := get2(t, h, "/v1/hosts").Next; next != "" {
		t.Errorf("the last page has a next one: %q", next)
	}
	if w := get(h, "GET", "/v1/explain?hosts=2&kind=all"); w.Code != 200 || l.asked.Limit != 2 || l.asked.Pools.Kind != capacity.KindAll || w.Header().Get("ETag") != "" {
		t.Errorf("explain with hosts: %d, asked %+v", w.Code, l.asked)
	} else {
		var e Explanation
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || len(e.Hosts) != 2 || len(e.Missing) != 1 {
			t.Errorf("explain with hosts: %v, %+v", err, e.Hosts)
		}
	}
}

// TestHostsCSV has a row for every device, for a host without any and for a part that is missing, so that nothing is lost in silence.
func TestHostsCSV(t *testing.T) {
	l := &lister{page: somePage()}
	l.page.Hosts[0].Name, l.page.Hosts[0].Devices[1].Name = `=HYPERLINK("x")`, "+1, or\n\"more\""
	l.page.Hosts[0].Pools[0].Identifier = "@CN-52-001/default"
	h := l.handler(t, true)
	w := get(h, "GET", "/v1/hosts?format=csv&kind=all")
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/csv; charset=utf-8; header=present" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d, headers %v", w.Code, w.Header())
	}
	golden(t, "hosts.csv", w.Body.Bytes())
	// The next page is asked for as this one was.
	link := w.Header().Get("Link")
	next, rest, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if rest != `; rel="next"` || !strings.Contains(next, "format=csv") {
		t.Fatalf("Link %q", link)
	}
	if w := get(h, "GET", next); w.Code != 200 || l.asked.After == nil || l.asked.Pools.Kind != capacity.KindAll || !strings.HasPrefix(w.Body.String(), "centre,") {
		t.Errorf("the next page: %d, asked %+v", w.Code, l.asked)
	}
	l.page = hosts.Page{}
	if w := get(h, "GET", "/v1/hosts?format=csv"); strings.Count(w.Body.String(), "\n") != 1 || w.Header().Get("Link") != "" {
		t.Errorf("no hosts: %s, headers %v", w.Body, w.Header())
	}
}

func get2(t *testing.T, h http.Handler, target string) (answer Hosts) {
	t.Helper()
	w := get(h, "GET", target)
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
		t.Fatalf("%s: %d, %v: %s", target, w.Code, err, w.Body)
	}
	return answer
}

// TestHostsProblems refuses what cannot be answered before any collector is asked.
func TestHostsProblems(t *testing.T) {
	l := &lister{page: somePage()}
	h := l.handler(t, true)
	cursor := get2(t, h, "/v1/hosts").Next
	l.asked = hosts.Query{}
	for _, tc := range []struct{ target, parameter, detail string }{
		{"/v1/hosts?colour=red", "colour", "is not a parameter"},
		{"/v1/hosts?format=xml", "format", "is not one of json, csv"},
		{"/v1/hosts?by=centre", "by", "is not a parameter"},
		{"/v1/hosts?limit=0", "limit", "is not a whole number from 1 to 1000"},
		{"/v1/hosts?limit=1001", "limit", "is not a whole number"},
		{"/v1/hosts?limit=-1", "limit", "is not a whole number"},
		{"/v1/hosts?limit=1e2", "limit", "is not a whole number"},
		{"/v1/hosts?limit=99999999999999999999999999", "limit", "is not a whole number"},
		{"/v1/hosts?limit=", "limit", "is not a whole number"},
		{"/v1/hosts?limit=1&limit=2", "limit", "is given 2 times"},
		{"/v1/hosts?free_min=257", "free_min", "from 1 to 256"},
		{"/v1/hosts?free_min=%2B8", "free_min", "is not a whole number"},
		{"/v1/hosts?online=yes", "online", `"yes" is not one of true, false`},
		{"/v1/hosts?online=", "online", `"" is not one of true, false`},
		{"/v1/hosts?sort=size", "sort", `"size" is not one of centre, free, age`},
		{"/v1/hosts?state=idle", "state", `"idle" is not one of busy`},
		{"/v1/hosts?state=", "state", `"" is not one of busy`},
		{"/v1/hosts?host=", "host", "want 1 to 255"},
		{"/v1/hosts?name=" + strings.Repeat("x", 256), "name", "is 256 bytes long"},
		{"/v1/hosts?host=a&host=b", "host", "is given 2 times"},
		{"/v1/hosts?cursor=", "cursor", "is not a cursor"},
		{"/v1/hosts?cursor=" + strings.Repeat("A", 2000), "cursor", "is not a cursor"},
		{"/v1/hosts?cursor=%00", "cursor", "is not a cursor"},
		{"/v1/hosts?cursor=" + cursor + "&sort=free", "cursor", "belongs to another question"},
		{"/v1/hosts?cursor=" + cursor + "&kind=cpu", "cursor", "belongs to another question"},
		{"/v1/hosts?centre=A%20B", "centre", "want letters"},
		{"/v1/hosts?precision=fp12", "precision", "is not a precision"},
		{"/v1/hosts?host=" + strings.Repeat("x", 9000), "query", "want at most"},
		{"/v1/explain?hosts=101", "hosts", "from 1 to 100"},
		{"/v1/explain?hosts=some", "hosts", "is not a whole number"},
		{"/v1/explain?by=centre", "by", "is not a parameter"},
		{"/v1/explain?kind=gpu", "kind", `"gpu" is not one of`},
	} {
		w := get(h, "GET", tc.target)
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 400 || p.Parameter != tc.parameter || !strings.Contains(p.Detail, tc.detail) || w.Body.Len() > 1024 {
			t.Errorf("%.80s: %d %+v, %v", tc.target, w.Code, p, err)
		}
	}
	if l.asked.Limit != 0 {
		t.Errorf("a collector was asked: %+v", l.asked)
	}
	l.err = errors.New("too many questions at a time")
	for _, target := range []string{"/v1/hosts", "/v1/explain?hosts=1"} {
		if w := get(h, "GET", target); w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "too many questions") {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	if w := get(l.handler(t, false), "GET", "/v1/hosts"); w.Code != 503 {
		t.Errorf("before the rebuild: %d", w.Code)
	}
	if w := get(h, "POST", "/v1/hosts"); w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
}

// TestOwnHosts answers other collectors, and nobody else's nonsense.
func TestOwnHosts(t *testing.T) {
	l := &lister{}
	h := l.handler(t, true)
	post := func(body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", HostsPath, strings.NewReader(body)))
		return w
	}
	if w := post(`{"schema":1,"parts":{"guian":[0]},"query":{"limit":7}}`); w.Code != 200 || l.asked.Limit != 7 || !strings.Contains(w.Body.String(), `"instance":"one"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for body, want := range map[string]string{
		"":                                  "EOF",
		"{":                                 "EOF",
		`{"schema":1,"query":{"new":true}}`: "unknown field",
		`{"schema":9}`:                      "schema 9",
		`{"schema":1,"query":{"limit":-1}}`: "limit -1",
		`{"schema":1,"parts":{"Z":[0]}}`:    "centre",
		`{"x":"` + strings.Repeat("x", maxQuestion) + `"}`: "",
	} {
		if w := post(body); w.Code != 400 || !strings.Contains(w.Body.String(), want) || w.Body.Len() > 1024 {
			t.Errorf("%.40s: %d %.200s", body, w.Code, w.Body)
		}
	}
	if w := get(h, "GET", HostsPath); w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d", w.Code)
	}
	l.err = errors.New("too many questions at a time")
	if w := post(`{"schema":1}`); w.Code != 503 {
		t.Errorf("crowded: %d", w.Code)
	}
	if w := get(handler(t, province(), true), "GET", "/v1/hosts"); w.Code != 404 {
		t.Errorf("where hosts are not listed: %d", w.Code)
	}
}
