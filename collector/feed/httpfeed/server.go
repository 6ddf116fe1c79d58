// Package httpfeed answers questions about capacity over HTTP. See docs/api.md.
package httpfeed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/console"
	"github.com/exameter/exameter/collector/feed/streamfeed"
	"github.com/exameter/exameter/collector/history"
	"github.com/exameter/exameter/collector/hosts"
	"github.com/exameter/exameter/collector/registry"
)

// Source is where answers come from. Its functions are called from any goroutine.
type Source struct {
	Snapshot func() *capacity.Snapshot // nil before the first fold
	Registry func() *registry.Registry
	Ready    func() (ready bool, waiting string)
	Metrics  *prometheus.Registry
	Requests *prometheus.CounterVec // by path and code

	Catalogue func() *catalog.Catalog                                     // for the sources of peaks
	Hosts     func(context.Context, hosts.Query) (hosts.Page, error)      // of all collectors; nil where hosts are not listed
	OwnHosts  func(context.Context, *hosts.Request) (*hosts.Reply, error) // of this collector's own parts

	Stream *streamfeed.Hub  // nil where nothing is streamed
	Past   *history.History // nil where no history is kept
}

// Handler answers all paths.
func Handler(src Source) http.Handler { return routes(src) }

// routed is a mux that knows its paths, so that a test can hold them against openapi.yaml.
type routed struct {
	http.ServeMux
	paths []string
}

// Handle registers a handler for a path.
func (m *routed) Handle(path string, h http.Handler) {
	m.paths = append(m.paths, path)
	m.ServeMux.Handle(path, h)
}

func routes(src Source) *routed {
	mux := &routed{}
	get := func(path string, h http.HandlerFunc) {
		mux.Handle(path, counted(src.Requests, path, readOnly(h)))
	}
	kept := &kept{src: src}
	get("/v1/capacity", kept.handler(capacityQuestion))
	get("/v1/pools", kept.handler(kept.poolsQuestion))
	get("/v1/match", kept.handler(matchQuestion))
	get("/v1/centres", src.centres)
	get("/v1/openapi.json", openapi)
	get("/v1/explain", src.explain)
	if src.Hosts != nil {
		get("/v1/hosts", src.hosts)
		mux.Handle(HostsPath, counted(src.Requests, HostsPath, src.ownHosts))
	}
	if src.Past != nil {
		get("/v1/history", src.history)
	}
	if src.Stream != nil {
		get("/v1/stream", src.stream)
	}
	get("/metrics", promhttp.HandlerFor(src.Metrics, promhttp.HandlerOpts{Timeout: 10 * time.Second}).ServeHTTP)
	get("/healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, "ok\n") })
	get("/readyz", src.readyz)
	nothing := func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "", fmt.Sprintf("there is nothing at %.100q", r.URL.Path))
	}
	// The page is for people, and no part of what openapi.yaml describes.
	page := readOnly(console.New(http.HandlerFunc(nothing)).ServeHTTP)
	mux.ServeMux.Handle("/{$}", counted(src.Requests, "/", page))
	mux.ServeMux.Handle(console.Prefix, counted(src.Requests, console.Prefix, page))
	mux.Handle("/", counted(src.Requests, "other", nothing))
	return mux
}

// complaints are what the server has to say of connections that come to nothing: that no more can be opened, or that somebody spoke no TLS.
// There may be many of them, and one a second is enough.
type complaints struct {
	log *slog.Logger
	mu  sync.Mutex
	at  time.Time
}

func (c *complaints) Write(line []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.at) >= time.Second {
		c.at = now
		c.log.Warn("a connection came to nothing", "error", strings.TrimSpace(string(line)))
	}
	return len(line), nil
}

// Serve answers on l until ctx ends, and then lets requests finish for two seconds.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	s := &http.Server{
		ErrorLog: stdlog.New(&complaints{log: log}, "", 0),
		Handler:  h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		err := s.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.Close() // a client that reads slowly does not keep the collector from stopping
		}
		stopped <- err
	})
	err := s.Serve(l)
	if !stop() {
		return <-stopped
	}
	return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
}

// readyz says whether the first rebuild is complete.
func (src Source) readyz(w http.ResponseWriter, _ *http.Request) {
	if ready, waiting := src.Ready(); !ready {
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusServiceUnavailable, "", waiting)
		return
	}
	writeText(w, "ready\n")
}

// snapshot returns the last snapshot, or says why there is none yet: figures of half a rebuild would be wrong.
func (src Source) snapshot(w http.ResponseWriter) *capacity.Snapshot {
	ready, waiting := src.Ready()
	s := src.Snapshot()
	if !ready || s == nil {
		if waiting == "" {
			waiting = "the first figures are being folded"
		}
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusServiceUnavailable, "", waiting)
		return nil
	}
	return s
}

// revisionOf is what a tag says of the snapshot that an answer is a function of. One that is cut off grows older within its revision, and its age is
// the only thing in it that moves.
func revisionOf(s *capacity.Snapshot) string {
	tag := strconv.FormatInt(s.Revision, 10)
	if s.Cut {
		tag += "-" + strconv.FormatFloat(s.Parts.OldestS, 'f', -1, 64) + "-cut"
	}
	return tag
}

// weakTag is that of answers which something else than the snapshot has a part in. It is the same in every coding.
func weakTag(s *capacity.Snapshot) string { return `W/"` + revisionOf(s) + `"` }

// fresh sets the headers of an answer that may be asked for again, and reports whether the client has it already.
func fresh(w http.ResponseWriter, r *http.Request, tag string) bool {
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Vary", "Accept-Encoding")
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	return false
}

// Problem is an error as RFC 9457 has it, with the parameter that was wrong.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Parameter string `json:"parameter,omitempty"`
}

// problem answers with an error.
func problem(w http.ResponseWriter, status int, parameter, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	writeJSON(w, Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Parameter: parameter})
}

// Refuse answers with an error before any handler does.
func Refuse(w http.ResponseWriter, status int, detail string) { problem(w, status, "", detail) }

// writeJSON writes a value on one line. A client that went away is no concern of ours.
func writeJSON(w io.Writer, v any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
}

func writeText(w http.ResponseWriter, s string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(s))
}

// readOnly lets GET and HEAD through.
func readOnly(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			problem(w, http.StatusMethodNotAllowed, "", fmt.Sprintf("%.20q is not allowed here: want GET or HEAD", r.Method))
			return
		}
		h(w, r)
	}
}

// counted counts answers by path and code.
func counted(c *prometheus.CounterVec, path string, h http.HandlerFunc) http.Handler {
	return promhttp.InstrumentHandlerCounter(c.MustCurryWith(prometheus.Labels{"path": path}), h)
}
