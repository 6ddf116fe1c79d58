package collector

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exameter/exameter/collector/access"
	"github.com/exameter/exameter/collector/feed/httpfeed"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/test/certs"
)

// guarded is a collector that speaks TLS and lets those in who show a token.
type guarded struct {
	t      *testing.T
	addr   string
	client http.Client
	logs   *lockedBuffer
}

func startGuarded(t *testing.T, brokers []string, pool *x509.CertPool, h HTTP) *guarded {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Kafka.Brokers, cfg.HTTP, cfg.FoldInterval = brokers, h, config.Duration(50*time.Millisecond)
	cfg.HTTP.Listen, cfg.HTTP.Watchers = "127.0.0.1:0", 10
	g := &guarded{t: t, logs: &lockedBuffer{}, client: http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}}
	addr := make(chan string, 1)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := Run(ctx, cfg, Options{Log: slog.New(slog.NewTextHandler(g.logs, &slog.HandlerOptions{Level: slog.LevelDebug})), Ready: func(a string) { addr <- a }, Registry: &registry.Registry{}}); err != nil {
			t.Errorf("Run: %v", err)
			addr <- ""
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		g.client.CloseIdleConnections()
		if t.Failed() {
			t.Log(g.logs)
		}
	})
	g.addr = <-addr
	return g
}

func (g *guarded) ask(path, token string) (int, []byte) {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, "https://"+g.addr+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := g.client.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp.StatusCode, b
}

// TestGuarded lets two collectors answer for each other over TLS, and nobody ask them who shows no token.
func TestGuarded(t *testing.T) {
	dir := t.TempDir()
	cert, key, err := certs.Own(dir, "collector", nil)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := access.Pool(cert)
	if err != nil {
		t.Fatal(err)
	}
	reader, readerEntry := access.NewToken("reader", []access.Scope{access.Read}, "")
	peer, peerEntry := access.NewToken("collectors", []access.Scope{access.Admin}, "")
	list, token := filepath.Join(dir, "access.yaml"), filepath.Join(dir, "token")
	text := fmt.Sprintf("tokens:\n  - {name: reader, sha256: %s, scopes: [read]}\n  - {name: collectors, sha256: %s, scopes: [admin]}\n", readerEntry.SHA256, peerEntry.SHA256)
	for path, text := range map[string]string{list: text, token: peer + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	broker := newBroker(t, 6, []string{"a"})
	p := newProducer(t, broker)
	for i := range 12 {
		s := h200("a", fmt.Sprintf("host-%02d", i), free)
		p.inventory(s.centre, s.inventory())
		p.report(s.centre, s.report())
	}
	h := HTTP{Config: access.Config{TLS: access.TLS{Cert: cert, Key: key}, Access: list}, Peers: Peers{CA: cert, TokenFile: token}}
	one, two := startGuarded(t, broker.ListenAddrs(), pool, h), startGuarded(t, broker.ListenAddrs(), pool, h)

	for path, want := range map[string]int{
		"/healthz": 200, "/v1/openapi.json": 200, "/v1/capacity": 401, "/v1/match?count=1": 401, "/v1/hosts": 401, "/v1/stream": 401, "/metrics": 401, "/v1/nothing": 401,
		httpfeed.HostsPath: 401,
	} {
		code, body := one.ask(path, "")
		if code != want {
			t.Errorf("%s without a token: %d, want %d", path, code, want)
		}
		var problem httpfeed.Problem
		if code == 401 && (json.Unmarshal(body, &problem) != nil || problem.Status != 401 || problem.Detail == "") {
			t.Errorf("%s: %s", path, body)
		}
	}
	if code, _ := one.ask(httpfeed.HostsPath, reader); code != 403 {
		t.Errorf("a reader who asks as a collector: %d", code)
	}
	// Hosts of both collectors' parts: each asks the other with its token.
	deadline := time.Now().Add(30 * time.Second)
	for _, g := range []*guarded{one, two} {
		for {
			var page httpfeed.Hosts
			code, body := g.ask("/v1/hosts", reader)
			if err := json.Unmarshal(body, &page); code == 200 && err == nil && len(page.Hosts) == 12 && len(page.Missing) == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the hosts never came: %d %s", code, body)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	_, metrics := one.ask("/metrics", reader)
	if !strings.Contains(string(metrics), `exameter_http_refused_total{reason="unauthenticated"} 7`) || !strings.Contains(string(metrics), `exameter_http_refused_total{reason="forbidden"} 1`) {
		t.Errorf("refusals are not counted:\n%s", metrics)
	}
	for _, secret := range []string{reader, peer} {
		if strings.Contains(one.logs.String()+two.logs.String(), secret) || bytes.Contains(metrics, []byte(secret)) {
			t.Error("a token stands in the log or in the metrics")
		}
	}
}
