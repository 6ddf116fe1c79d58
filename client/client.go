// Package client asks Exameter's collectors what a province can compute, what of it is free, and where a job fits.
//
// Any collector answers for the whole province, so a [Client] takes the addresses of several and turns to the next one where
// one does not answer. Answers of one revision are the same everywhere; a client never takes an older answer than one that
// it gave before. Requests are read-only, and are repeated a bounded number of times. [Client.Watch] follows the province as it changes.
//
// The package needs nothing but the standard library. What the figures mean stands in docs/capacity.md, the API in docs/api.md.
package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// DefaultAddress is where a collector answers unless it is configured otherwise.
const DefaultAddress = "http://127.0.0.1:8470"

// Options say how to reach collectors. The zero value asks DefaultAddress.
type Options struct {
	// Addresses of collectors: URLs such as https://collector.example:8470, or host:port for plain HTTP. The first is preferred.
	Addresses []string
	// TLS verifies collectors and holds this program's certificate; nil is the system's trust and none. See LoadTLS.
	TLS *tls.Config
	// Token is sent as a bearer token. TokenFile names a file that holds it instead, which is read for each request, so that a
	// token can be replaced. Neither is ever sent over plain HTTP to another machine.
	Token, TokenFile string
	// Timeout bounds one attempt: until the answer has been read, and of a stream until it begins. 10 s where 0.
	Timeout time.Duration
	// Rounds is how often every address is tried before a question fails. 3 where 0.
	Rounds int
	// MaxWait bounds the time between two rounds, also where a collector's Retry-After asks for more. 5 s where 0.
	MaxWait time.Duration
	// MaxAnswer bounds an answer in bytes. 256 MiB where 0.
	MaxAnswer int64
	// UserAgent names the program that asks.
	UserAgent string
}

// Client asks collectors. Any number of goroutines may use one.
type Client struct {
	o     Options
	bases []*url.URL
	http  *http.Client

	silence time.Duration // how long a stream may say nothing

	mu        sync.Mutex
	preferred int // index into bases: the one that answered last
	floor     mark
}

// mark is how far into the log of partials an answer has read.
type mark struct {
	Revision int64     `json:"revision"`
	AsOf     time.Time `json:"as_of"`
}

// before reports whether m is an older answer than o. A lower revision that is as of a later time belongs to a log that was
// begun anew, and is not older.
func (m mark) before(o mark) bool { return m.Revision < o.Revision && !m.AsOf.After(o.AsOf) }

// New makes a client. It connects to nothing yet; what is wrong with the options is said at once.
func New(o Options) (*Client, error) {
	if len(o.Addresses) == 0 {
		o.Addresses = []string{DefaultAddress}
	}
	if o.Token != "" && o.TokenFile != "" {
		return nil, errors.New("a token and a file that holds one: want one of them")
	}
	if o.Timeout < 0 || o.Rounds < 0 || o.MaxWait < 0 || o.MaxAnswer < 0 {
		return nil, errors.New("timeout, rounds, longest wait and largest answer cannot be negative")
	}
	o.Timeout = orElse(o.Timeout, 10*time.Second)
	o.Rounds = orElse(o.Rounds, 3)
	o.MaxWait = orElse(o.MaxWait, 5*time.Second)
	o.MaxAnswer = orElse(o.MaxAnswer, 256<<20)
	o.UserAgent = orElse(o.UserAgent, "exameter-client")
	c := &Client{o: o, silence: streamSilence}
	for _, a := range o.Addresses {
		u, err := parseAddress(a)
		if err != nil {
			return nil, err
		}
		if (o.Token != "" || o.TokenFile != "") && u.Scheme != "https" && !loopback(u.Hostname()) {
			return nil, fmt.Errorf("collector %q: a token would cross the network in the clear: want https", a)
		}
		c.bases = append(c.bases, u)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = o.TLS
	t.MaxIdleConnsPerHost = 8
	t.ResponseHeaderTimeout = o.Timeout
	// A collector redirects nowhere, and whoever does shall not be told the token.
	c.http = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// Close closes the connections that are idle.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func parseAddress(address string) (*url.URL, error) {
	wrong := fmt.Errorf("collector %q is not a URL such as %s", address, DefaultAddress)
	full := address
	if !strings.Contains(address, "://") {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, wrong
		}
		full = "http://" + address
	}
	u, err := url.Parse(full)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, wrong
	}
	return u, nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// token returns the bearer token; empty where there is none.
func (c *Client) token() (string, error) {
	if c.o.TokenFile == "" {
		return c.o.Token, nil
	}
	b, err := os.ReadFile(c.o.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return "", fmt.Errorf("read the token: %s is empty", c.o.TokenFile)
	}
	return token, nil
}

// note remembers how far answers have come, and which address gave the last.
func (c *Client) note(m mark, base int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !m.before(c.floor) {
		c.floor = m
	}
	c.preferred = base
}

// seen is how far answers have come, and the address to begin with.
func (c *Client) seen() (mark, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.floor, c.preferred
}
