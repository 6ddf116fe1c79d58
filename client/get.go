package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxProblem bounds what is read of an answer that is none.
const maxProblem = 64 << 10

// Answer is an answer as the collector gave it.
type Answer struct {
	Body        []byte
	ContentType string
	ETag        string
	Next        string // URL of the next page, below the collector's; empty where there is none
	Collector   string // address of the one that gave it
}

// Get asks for a path, such as "v1/capacity", and returns the answer as it is. It turns to the next address where one fails,
// and goes round all of them Rounds times; what is wrong with the question is not asked again. JSON that is older than an
// earlier answer is asked for elsewhere; where nobody has newer, the error is ErrBehind.
func (c *Client) Get(ctx context.Context, path string, query url.Values) (*Answer, error) {
	// A page goes with the first one, at the first one's revision.
	paged := query.Has("cursor")
	var last error
	for round := range c.o.Rounds {
		wait, hope := time.Duration(-1), false
		floor, first := c.seen()
		for i := range c.bases {
			at := (first + i) % len(c.bases)
			a, err := c.attempt(ctx, c.bases[at], path, query)
			if err == nil {
				m, known := markOf(a)
				if known && !paged && m.before(floor) {
					last, hope = fmt.Errorf("%w: revision %d at %s, and %d was seen", ErrBehind, m.Revision, a.Collector, floor.Revision), true
					continue
				}
				if known && !paged {
					c.note(m, at)
				}
				return a, nil
			}
			if ctx.Err() != nil {
				return nil, fmt.Errorf("ask the collector: %w", ctx.Err())
			}
			last = err
			if final(err) {
				return nil, err
			}
			hope = hope || !hopeless(err)
			var p *Problem
			if errors.As(err, &p) && p.RetryAfter > 0 && (wait < 0 || p.RetryAfter < wait) {
				wait = p.RetryAfter
			}
		}
		if round == c.o.Rounds-1 || !hope {
			break
		}
		if wait < 0 {
			wait = backoff(round)
		}
		if err := sleep(ctx, min(wait, c.o.MaxWait)); err != nil {
			return nil, errors.Join(last, err)
		}
	}
	return nil, last
}

// attempt asks one collector once.
func (c *Client) attempt(ctx context.Context, base *url.URL, path string, query url.Values) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	resp, err := c.send(ctx, base, path, query, "application/json, text/csv;q=0.9", "")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(resp.Body, c.o.MaxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the collector's answer: %w", err)
	}
	if n > c.o.MaxAnswer {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, c.o.MaxAnswer)
	}
	return &Answer{Body: b.Bytes(), ContentType: resp.Header.Get("Content-Type"), ETag: resp.Header.Get("ETag"), Next: nextOf(resp.Header), Collector: base.String()}, nil
}

// nextOf reads where the next page is.
func nextOf(h http.Header) string {
	if at, _, is := strings.Cut(h.Get("Link"), `>; rel="next"`); is {
		return strings.TrimPrefix(at, "<")
	}
	return ""
}

// eventStream is the type of server-sent events.
const eventStream = "text/event-stream"

var errTooLarge = errors.New("the collector's answer is too large")

// send asks, and returns the answer where it is one. The caller closes its body.
func (c *Client) send(ctx context.Context, base *url.URL, path string, query url.Values, accept, resume string) (*http.Response, error) {
	u := base.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask the collector: %w", err)
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", c.o.UserAgent)
	if resume != "" {
		req.Header.Set("Last-Event-ID", resume)
	}
	// The transport asks for gzip by itself and undoes it; events must not wait until a compressor has enough of them.
	if accept == eventStream {
		req.Header.Set("Accept-Encoding", "identity")
	}
	token, err := c.token()
	if err != nil {
		return nil, &ownFault{err}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the collector: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	// What could be read of it is enough: the status says the rest.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	return nil, problemOf(resp, body, base.String())
}

// ownFault is what another address cannot mend.
type ownFault struct{ err error }

func (e *ownFault) Error() string { return e.err.Error() }
func (e *ownFault) Unwrap() error { return e.err }

// final reports whether no other address and no other time would answer otherwise.
func final(err error) bool {
	var own *ownFault
	if errors.As(err, &own) || errors.Is(err, errTooLarge) {
		return true
	}
	status := statusOf(err)
	return status != 0 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusNotFound
}

// hopeless reports whether another address may answer, and this one will not: it is not who it should be, or is of a version
// that has no such question.
func hopeless(err error) bool {
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &certificate) || IsNotThere(err)
}

// markOf reads how far an answer in JSON has come. Revision and time stand at its beginning.
func markOf(a *Answer) (m mark, known bool) {
	d := json.NewDecoder(bytes.NewReader(a.Body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return m, false
	}
	var revision, asOf bool
	for range 2 {
		name, err := d.Token()
		if err != nil {
			return m, false
		}
		switch name {
		case "revision":
			revision = d.Decode(&m.Revision) == nil
		case "as_of":
			asOf = d.Decode(&m.AsOf) == nil
		default:
			return m, false
		}
	}
	return m, revision && asOf
}

// backoff is how long to wait after a round: 100 ms and then twice as long each time, at most 6.4 s, half of it by chance, so
// that programs that failed together do not come back together.
func backoff(round int) time.Duration {
	d := 100 * time.Millisecond << min(round, 6)
	return d/2 + rand.N(d/2)
}

// sleep waits, or says that ctx ended, or would before the wait does.
func sleep(ctx context.Context, d time.Duration) error {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
		return context.DeadlineExceeded
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// retryAfter reads the header: seconds, or a date. What cannot be read is 0.
func retryAfter(v string, now time.Time) time.Duration {
	if s, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
