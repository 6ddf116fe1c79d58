package access

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/exameter/exameter/internal/config"
)

// Config says who is let in, and how.
type Config struct {
	TLS    TLS     `yaml:"tls"`
	Access string  `yaml:"access"` // file of tokens and certificates; empty: whoever reaches the collector may ask it
	Rate   float64 `yaml:"rate"`   // requests a second of one client, over time; 0: as many as it likes
}

// Validate checks the settings below the key "http".
func (c *Config) Validate() error {
	if err := c.TLS.validate(); err != nil {
		return config.Errorf("http.tls", "%w", err)
	}
	if !(c.Rate >= 0 && c.Rate <= 1e6) {
		return config.Errorf("http.rate", "%v is not between 0 and 1000000 requests a second", c.Rate)
	}
	if c.TLS.ClientCA != "" && c.Access == "" {
		return config.Errorf("http.access", "is missing: it says what those may do who show a certificate")
	}
	return nil
}

// Open reports whether whoever reaches the collector may ask it.
func (c *Config) Open() bool { return c.Access == "" }

// Problem answers with an error.
type Problem func(w http.ResponseWriter, status int, detail string)

// Guard lets requests through to a handler, or not.
type Guard struct {
	list    *watched[*List] // nil: everybody is let in
	tls     *tls.Config
	rates   rates
	problem Problem
	refused func(reason string)
	log     *slog.Logger
	now     func() time.Time
}

// New makes a guard, and reads its files for the first time. refused is called with the reason whenever somebody is not let through.
func New(c Config, problem Problem, refused func(reason string), log *slog.Logger) (*Guard, error) {
	g := &Guard{problem: problem, refused: refused, log: log, now: time.Now}
	g.rates.limit = rate.Limit(c.Rate)
	var err error
	if g.tls, err = c.TLS.server(log); err != nil {
		return nil, err
	}
	if c.Access != "" {
		if g.list, err = newWatched(log, func() (*List, error) { return LoadList(c.Access) }, c.Access); err != nil {
			return nil, fmt.Errorf("read http.access: %w", err)
		}
	}
	return g, nil
}

// Listener speaks TLS where it is configured.
func (g *Guard) Listener(l net.Listener) net.Listener {
	if g.tls == nil {
		return l
	}
	return tls.NewListener(l, g.tls)
}

// Reasons why somebody is not let through, for the metric.
const (
	reasonNobody  = "unauthenticated"
	reasonScope   = "forbidden"
	reasonTooMany = "rate"
)

var (
	errNobody  = errors.New("this collector answers those who show a token: send Authorization: Bearer TOKEN, or a certificate that it knows")
	errUnknown = errors.New("the token is not known")
	errExpired = errors.New("the token has expired")
)

// Wrap guards a handler. need says what a request takes; empty for what everybody may ask.
func (g *Guard) Wrap(h http.Handler, need func(*http.Request) Scope) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scope := need(r)
		who, err := g.caller(r)
		client := addressOf(r)
		if who != nil {
			client = who.name
		}
		if wait := g.rates.take(client, g.now()); wait > 0 && scope != "" {
			g.refused(reasonTooMany)
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			g.problem(w, http.StatusTooManyRequests, fmt.Sprintf("more requests than %v a second", float64(g.rates.limit)))
			return
		}
		switch {
		case g.list == nil || scope == "":
		case err != nil:
			g.refused(reasonNobody)
			g.log.Debug("somebody was not let in", "address", addressOf(r), "path", fmt.Sprintf("%.100q", r.URL.Path), "error", err)
			w.Header().Set("WWW-Authenticate", `Bearer realm="exameter"`)
			g.problem(w, http.StatusUnauthorized, err.Error())
			return
		case !who.may(scope):
			g.refused(reasonScope)
			g.log.Debug("somebody may not ask this", "who", who.name, "address", addressOf(r), "path", fmt.Sprintf("%.100q", r.URL.Path))
			g.problem(w, http.StatusForbidden, fmt.Sprintf("%s may not: it takes the scope %s", who.name, scope))
			return
		}
		h.ServeHTTP(w, r)
	})
}

// caller finds out who asks. A token counts before a certificate.
func (g *Guard) caller(r *http.Request) (*caller, error) {
	if g.list == nil {
		return nil, nil
	}
	list := g.list.get()
	if headers := r.Header.Values("Authorization"); len(headers) > 0 {
		kind, token, _ := strings.Cut(headers[0], " ")
		if len(headers) > 1 || !strings.EqualFold(kind, "Bearer") || token == "" || len(token) > 1<<10 {
			return nil, errNobody
		}
		return list.token(strings.TrimSpace(token), g.now())
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		if c := list.certificate(r.TLS.VerifiedChains[0][0].Subject.CommonName); c != nil {
			return c, nil
		}
		return nil, errors.New("the certificate is of nobody who is let in")
	}
	return nil, errNobody
}

func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// maxClients bounds how many clients' rates are kept in mind.
const maxClients = 4096

// rates holds each client to so many requests a second, with a second's worth at once.
type rates struct {
	limit rate.Limit

	mu      sync.Mutex
	clients map[string]*rate.Limiter
}

// take counts a request, and returns how long a client has to wait that asks too often.
func (r *rates) take(client string, now time.Time) time.Duration {
	if r.limit == 0 {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.clients[client]
	if l == nil {
		if len(r.clients) >= maxClients || r.clients == nil {
			r.clients = map[string]*rate.Limiter{} // a moment's mercy for those who asked too often
		}
		l = rate.NewLimiter(r.limit, max(1, int(r.limit)))
		r.clients[client] = l
	}
	if l.AllowN(now, 1) {
		return 0
	}
	return time.Duration(float64(time.Second) / float64(r.limit))
}
