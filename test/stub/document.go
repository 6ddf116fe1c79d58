package stub

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exameter/exameter/collector/feed/httpfeed"
)

// Document is the API's own description, as collectors serve it.
func Document() []byte {
	w := httptest.NewRecorder()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests", Help: "by path and code"}, []string{"path", "code"})
	httpfeed.Handler(httpfeed.Source{Metrics: prometheus.NewRegistry(), Requests: requests}).ServeHTTP(w, httptest.NewRequest("GET", "/v1/openapi.json", nil))
	return w.Body.Bytes()
}

// Undocumented says which of the questions so far have a parameter that the API does not have.
func (c *Collector) Undocumented() (out []string) {
	type parameter struct {
		Name string
		Ref  string `json:"$ref"`
	}
	var doc struct {
		Paths map[string]struct {
			Get struct{ Parameters []parameter }
		}
		Components struct{ Parameters map[string]parameter }
	}
	if err := json.Unmarshal(Document(), &doc); err != nil {
		panic(err)
	}
	for _, asked := range c.Asked() {
		u, err := url.Parse(asked)
		if err != nil {
			panic(err)
		}
		path, known := doc.Paths[u.Path]
		if !known {
			out = append(out, fmt.Sprintf("%s: no such path", asked))
		}
		for name := range u.Query() {
			if !slices.ContainsFunc(path.Get.Parameters, func(p parameter) bool {
				return p.Name == name || p.Ref != "" && doc.Components.Parameters[p.Ref[len("#/components/parameters/"):]].Name == name
			}) {
				out = append(out, fmt.Sprintf("%s: no parameter %s", asked, name))
			}
		}
	}
	return out
}
