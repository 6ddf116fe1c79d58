package collector

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/exameter/exameter/collector/access"
	"github.com/exameter/exameter/collector/feed/httpfeed"
	"github.com/exameter/exameter/collector/hosts"
)

// Limits of what one collector asks another.
const (
	askWithin  = 2 * time.Second // for one owner's answer
	dialWithin = time.Second
	maxReply   = 32 << 20 // bytes of an answer: MaxLines of the longest names there can be
	maxAsked   = 8        // owners that one question is put to at a time
)

// errCrowded says that a collector has too many questions to answer.
var errCrowded = errors.New("too many questions at a time")

// errRefused says that a collector does not take a question.
var errRefused = errors.New("refused")

// peers puts questions to other collectors.
type peers struct {
	client http.Client
	scheme string
	token  string // file of one; empty for none
}

// newPeers makes them as the others are reached: by TLS where this collector speaks it.
func newPeers(c *HTTP) (*peers, error) {
	p := &peers{scheme: "http", token: c.Peers.TokenFile, client: http.Client{
		Timeout: askWithin,
		// Addresses are those that collectors gave in the log: no proxy stands between them, and they send nobody elsewhere.
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: dialWithin}).DialContext,
			MaxConnsPerHost:     maxAsked,
			MaxIdleConnsPerHost: 2,
			IdleConnTimeout:     time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if c.TLS.Cert == "" {
		return p, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.Peers.CA != "" {
		var err error
		if t.RootCAs, err = access.Pool(c.Peers.CA); err != nil {
			return nil, fmt.Errorf("http.peers.ca: %w", err)
		}
	}
	if c.TLS.ClientCA != "" {
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { // it may have been replaced
			cert, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
			return &cert, err
		}
	}
	p.scheme = "https"
	p.client.Transport.(*http.Transport).TLSClientConfig = t
	return p, nil
}

// identify puts the token into a request.
func (p *peers) identify(r *http.Request) error {
	if p.token == "" {
		return nil
	}
	b, err := os.ReadFile(p.token)
	if err != nil {
		return fmt.Errorf("read http.peers.token_file: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(b)))
	return nil
}

// hosts asks the collector at an address for hosts of its parts.
func (p *peers) hosts(ctx context.Context, address string, req *hosts.Request) (*hosts.Reply, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("ask %s for hosts: %w", address, err)
	}
	u := url.URL{Scheme: p.scheme, Host: address, Path: httpfeed.HostsPath}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask %s for hosts: %w", address, err)
	}
	r.Header.Set("Content-Type", "application/json")
	if err := p.identify(r); err != nil {
		return nil, fmt.Errorf("ask %s for hosts: %w", address, err)
	}
	resp, err := p.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask %s for hosts: %w", address, err)
	}
	defer resp.Body.Close()
	limited := io.LimitReader(resp.Body, maxReply)
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusServiceUnavailable:
		return nil, fmt.Errorf("ask %s for hosts: %w", address, errCrowded)
	default:
		why, _ := io.ReadAll(io.LimitReader(limited, 500))
		return nil, fmt.Errorf("ask %s for hosts: %w: %s: %q", address, errRefused, resp.Status, why)
	}
	reply, err := hosts.ReadReply(limited, req)
	if err != nil {
		return nil, fmt.Errorf("ask %s for hosts: %w", address, &garbled{err})
	}
	return reply, nil
}

// garbled is an answer that came and cannot be used.
type garbled struct{ err error }

func (g *garbled) Error() string { return g.err.Error() }
func (g *garbled) Unwrap() error { return g.err }

// why says what kept a part's hosts from an answer, for people and as the metric's label.
func why(err error) (reason, result string) {
	var g *garbled
	var timeout net.Error
	switch {
	case errors.Is(err, errCrowded):
		return hosts.Crowded, "crowded"
	case errors.Is(err, errRefused):
		return hosts.Refused, "refused"
	case errors.As(err, &g) && !(errors.As(err, &timeout) && timeout.Timeout()):
		return hosts.Garbled, "garbled"
	default:
		return hosts.Silent, "silent"
	}
}
