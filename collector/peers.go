package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

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
type peers struct{ client http.Client }

func newPeers() *peers {
	return &peers{http.Client{
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
}

// hosts asks the collector at an address for hosts of its parts.
func (p *peers) hosts(ctx context.Context, address string, req *hosts.Request) (*hosts.Reply, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("ask %s for hosts: %w", address, err)
	}
	u := url.URL{Scheme: "http", Host: address, Path: httpfeed.HostsPath}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask %s for hosts: %w", address, err)
	}
	r.Header.Set("Content-Type", "application/json")
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
