package console

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	New(http.NotFoundHandler()).ServeHTTP(w, r)
	return w
}

// TestReferences follows the page's references to its own files, and wants every file to be reached from the page.
func TestReferences(t *testing.T) {
	reference := regexp.MustCompile(`(?:href|src)="(console/[^"]+)"|from "\./([^"]+)"`)
	reached := map[string]bool{}
	var follow func(path string)
	follow = func(path string) {
		if reached[path] {
			return
		}
		reached[path] = true
		w := get(path)
		if w.Code != http.StatusOK {
			t.Errorf("GET %s: %d", path, w.Code)
		}
		for _, m := range reference.FindAllStringSubmatch(w.Body.String(), -1) {
			if m[1] != "" {
				follow("/" + m[1])
			} else {
				follow(Prefix + m[2])
			}
		}
	}
	follow("/")
	for path := range New(http.NotFoundHandler()).files {
		if !reached[path] {
			t.Errorf("nothing on the page refers to %s", path)
		}
	}
}

// TestHeaders wants every file to say what it is and to allow nothing from elsewhere, and a copy that is good to be left alone.
func TestHeaders(t *testing.T) {
	for path, f := range New(http.NotFoundHandler()).files {
		w := get(path)
		for name, want := range headers {
			if got := w.Header().Get(name); got != want {
				t.Errorf("GET %s: %s: %q", path, name, got)
			}
		}
		if got := w.Header().Get("Content-Type"); got != f.kind || got == "" {
			t.Errorf("GET %s: Content-Type %q", path, got)
		}
		if again := get(path, "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("GET %s with its tag: %d with %d bytes", path, again.Code, again.Body.Len())
		}
	}
	if csp := headers["Content-Security-Policy"]; strings.Contains(csp, "unsafe") || !strings.HasPrefix(csp, "default-src 'none'; ") {
		t.Errorf("the policy is not strict: %s", csp)
	}
	if w := get(Prefix + "../console.go"); w.Code != http.StatusNotFound {
		t.Errorf("a path out of the page: %d", w.Code)
	}
}
