package client_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/feed/httpfeed"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/telemetry"
)

// documents says what each of the server's golden files holds, by how its name begins.
func document(name string) any {
	for prefix, doc := range map[string]any{
		"centres": &client.Centres{}, "pools": &client.Pools{}, "match": &client.Match{}, "hosts": &client.HostList{},
		"explain": &client.Explanation{}, "history": &client.History{},
	} {
		if strings.HasPrefix(name, prefix) {
			return doc
		}
	}
	return &client.Capacity{}
}

// TestTypesAreTheServers reads every golden answer of the server strictly, and writes it again: nothing is lost and nothing
// is added. Numbers are compared as they are printed.
func TestTypesAreTheServers(t *testing.T) {
	files, err := filepath.Glob("../collector/feed/httpfeed/testdata/*.json")
	if err != nil || len(files) < 7 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(file) == "hosts-asked.json" {
			continue // what collectors ask each other
		}
		doc := document(filepath.Base(file))
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(doc); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		again, err := json.Marshal(doc)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for _, diff := range differences("", plain(t, text), plain(t, again)) {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

func plain(t *testing.T, text []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// differences between what the server said and what the client made of it. A field that is empty may be left out or added.
func differences(at string, server, ours any) (out []string) {
	a, isObject := server.(map[string]any)
	b, too := ours.(map[string]any)
	if isObject && too {
		for name, v := range a {
			if w, has := b[name]; has {
				out = append(out, differences(at+"."+name, v, w)...)
			} else if !empty(v) {
				out = append(out, at+"."+name+" is lost")
			}
		}
		for name, w := range b {
			if _, has := a[name]; !has && !empty(w) {
				out = append(out, at+"."+name+" is made up")
			}
		}
		return out
	}
	c, isList := server.([]any)
	d, too := ours.([]any)
	if isList && too && len(c) == len(d) {
		for i := range c {
			out = append(out, differences(at+"[]", c[i], d[i])...)
		}
		return out
	}
	if !reflect.DeepEqual(server, ours) {
		out = append(out, at+" is another")
	}
	return out
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case json.Number:
		return v == "0"
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, w := range v {
			if !empty(w) {
				return false
			}
		}
		return true
	}
	return false
}

// realCollector answers with the real handler from a small snapshot.
func realCollector(t testing.TB) string {
	t.Helper()
	s := &capacity.Snapshot{
		Revision: 41, AsOf: time.Date(2026, 11, 23, 8, 0, 0, 250e6, time.UTC), Catalogue: "2026.11", StaleAfter: 30 * time.Second,
		Pools: []capacity.PoolCell{{
			Pool: capacity.Pool{
				Centre: "guian", Cluster: "default", Kind: telemetry.Accelerator, Vendor: "nvidia", Model: "nvidia-h200-sxm", Class: capacity.Intelligent,
				Basis: catalog.FP16, Peaks: catalog.Peaks{}.With(catalog.FP16, 989_500_000), Domestic: telemetry.Known(false),
			},
			Cell: capacity.Cell{Devices: [5]int64{3, 5}, Units: [5]int64{3 * 10080, 5 * 10080}, FreeHosts: [17]int64{5: 1}},
		}},
		Shapes: []capacity.Shape{{Pools: []int{0}, Rated: 1, Online: 1}},
	}
	s.Shapes[0].Ages.Observe(2_125, 30_000)
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests", Help: "by path and code"}, []string{"path", "code"})
	srv := httptest.NewServer(httpfeed.Handler(httpfeed.Source{
		Snapshot: func() *capacity.Snapshot { return s }, Registry: func() *registry.Registry { return &registry.Registry{} },
		Ready: func() (bool, string) { return true, "" }, Metrics: prometheus.NewRegistry(), Requests: requests,
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestRealCollector asks the real handler what the client can ask.
func TestRealCollector(t *testing.T) {
	c, err := client.New(client.Options{Addresses: []string{realCollector(t)}})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := c.Capacity(t.Context(), client.CapacityQuery{
		By: []string{"centre", "model"}, Filter: client.Filter{
			Centre: []string{"guian", "elsewhere"}, Cluster: []string{"default"}, Vendor: []string{"nvidia", "a, b"}, Model: []string{"nvidia-h200-sxm"},
			Class: []string{"intelligent", "super"}, Domestic: []string{"no", "unknown"}, Kind: "all", Precision: "fp16",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if doc.Revision != 41 || len(doc.Groups) != 1 || doc.Groups[0].Model != "nvidia-h200-sxm" || doc.Total.Devices.Free != 5 || doc.Total.Eflops.Free.String() != "0.0049475" || doc.Total.Age.Max != 2.125 {
		t.Errorf("%+v", doc)
	}
	centres, err := c.Centres(t.Context(), client.Filter{Kind: "all"})
	if err != nil || len(centres.Centres) != 1 || centres.Centres[0].Capacity.Devices.Rated != 8 {
		t.Errorf("%+v, %v", centres, err)
	}
}
