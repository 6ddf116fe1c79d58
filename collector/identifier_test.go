package collector

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/feed/kafkafeed"
	"github.com/exameter/exameter/collector/feed/linefeed"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/internal/config"
)

// TestIdentifiersArePassedThrough finds the registry's identifiers of a centre and a cluster in everything that goes out: all answers in
// both formats, the stream, the feed and what is written to a database.
func TestIdentifiersArePassedThrough(t *testing.T) {
	const ofCentre, ofCluster = "CN-52-0001", "CN-52-0001/训练, 1"
	var mu sync.Mutex
	written := ""
	database := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		written = string(b)
		mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}))
	defer database.Close()
	broker := newBroker(t, 1, []string{"guian", "other"})
	p := newProducer(t, broker)
	for _, s := range []*server{h200("guian", "host-1", free, busy), h200("other", "host-2", free)} {
		p.inventory(s.centre, s.inventory())
		p.report(s.centre, s.report())
	}
	r := start(t, broker.ListenAddrs(), func(c *Config, o *Options) {
		o.Registry = &registry.Registry{Revision: "1a1a1a1a", Centres: []registry.Centre{{
			ID: "guian", Status: registry.Operating, Identifier: ofCentre, Clusters: []registry.Cluster{{ID: "default", Identifier: ofCluster}},
		}}}
		c.Write = linefeed.Config{URL: database.URL, Interval: config.Duration(time.Second)}
	})
	r.document("", rated(3))

	for path, want := range map[string]string{
		"/v1/capacity?by=centre":               `"identifier":"` + ofCentre + `"`,
		"/v1/capacity?by=pool":                 `"identifier":"` + ofCluster + `"`,
		"/v1/capacity?by=centre&format=csv":    "," + ofCentre + "\n",
		"/v1/capacity?by=pool&format=csv":      `,"` + ofCluster + "\"\n",
		"/v1/pools":                            `"identifier":"` + ofCluster + `"`,
		"/v1/pools?format=csv":                 `,"` + ofCluster + `",`,
		"/v1/match?count=1":                    `"identifier":"` + ofCluster + `"`,
		"/v1/match?count=1&format=csv":         `,"` + ofCluster + `",`,
		"/v1/hosts":                            `"identifier":"` + ofCluster + `"`,
		"/v1/hosts?format=csv":                 `,"` + ofCluster + `",`,
		"/v1/explain":                          `"cluster":"default","identifier":"` + ofCluster + `"`,
		"/v1/explain?kind=accelerator&hosts=1": `"centre":"guian","identifier":"` + ofCentre + `"`,
		"/v1/centres":                          `"identifier":"` + ofCentre + `"`,
		"/v1/centres?kind=all":                 `"identifier":"` + ofCluster + `"`,
	} {
		if code, body := r.get(path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, no %s in\n%s", path, code, want, body)
		}
		// The centre that the registry does not have has none, and is there all the same.
		other := map[bool]string{true: "?", false: "&"}[!strings.Contains(path, "?")] + "centre=other"
		if strings.HasPrefix(path, "/v1/centres") {
			continue
		}
		if code, body := r.get(path + other); code != http.StatusOK || strings.Contains(body, "CN-52") || !strings.Contains(body, "other") {
			t.Errorf("%s: %d %s", path+other, code, body)
		}
	}

	w := &watching{t: t}
	w.connect(r.url)
	w.until(func(d *capacity.Document) bool {
		return len(d.Groups) == 2 && w.groups["guian"].Identifier == ofCentre && w.groups["other"].Identifier == ""
	})
	w.stop()

	readFeed(t, broker.ListenAddrs()).until("identifiers in the feed", 15*time.Second, func(scopes map[string]kafkafeed.Record) bool {
		return scopes["centre/guian"].Identifier == ofCentre && scopes["pool/guian/default/accelerator/nvidia/nvidia-h200-sxm"].Identifier == ofCluster &&
			scopes["centre/other"].Devices.Rated == 1 && scopes["centre/other"].Identifier == ""
	})

	deadline := time.Now().Add(15 * time.Second)
	for ; ; time.Sleep(20 * time.Millisecond) {
		mu.Lock()
		lines := written
		mu.Unlock()
		if strings.Contains(lines, ",centre=guian,identifier="+ofCentre+",scope=centre ") && strings.Contains(lines, ",centre=other,scope=centre ") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("written to the database:\n%s", lines)
		}
	}
}
