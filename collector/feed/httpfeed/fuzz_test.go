package httpfeed

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzQuestions asks every address with any query. Whatever it is, the answer is a document: the figures, or a problem that is the client's.
func FuzzQuestions(f *testing.F) {
	paths := []string{"/v1/capacity", "/v1/pools", "/v1/match", "/v1/centres", "/v1/explain", "/v1/hosts", "/v1/history"}
	for _, q := range []string{
		"", "by=centre,model", "by=pool&kind=all&precision=fp8", "eflops=1.5&class=intelligent", "limit=1&cursor=eyJrIjoiIn0", "cursor=AAAA", "limit=99999999999999999999",
		"by=by&by=by", "kind=cpu&state=free&sort=free", "q=%zz", "a;b", "eflops=-1", "eflops=NaN", "from=2026-11-26T00:00:00Z&to=1970-01-01T00:00:00Z", "format=csv", "host=%00",
		"model=%f0%9f%92%a9", "free_min=1e3", "step=1ns&scope=province", "unknown=1",
	} {
		for i := range paths {
			f.Add(uint8(i), q)
		}
	}
	h := handler(f, province(), true)
	f.Fuzz(func(t *testing.T, which uint8, query string) {
		path := paths[int(which)%len(paths)]
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.URL = &url.URL{Path: path, RawQuery: query}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch kind := w.Header().Get("Content-Type"); {
		case w.Code >= http.StatusInternalServerError && !(path == "/v1/hosts" || path == "/v1/history"): // which have nobody to ask here
			t.Errorf("%s?%s: %d: %s", path, query, w.Code, w.Body)
		case strings.HasPrefix(kind, "text/csv"):
		case !json.Valid(w.Body.Bytes()):
			t.Errorf("%s?%s: %d, %s: %s", path, query, w.Code, kind, w.Body)
		}
	})
}
