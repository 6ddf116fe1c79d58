package exporter

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// accepted is the exposition format asked for: the plain text that every exporter speaks.
const accepted = "text/plain;version=0.0.4;q=1,*/*;q=0.1"

// client makes the HTTP client of one exporter. It goes to no proxy and follows no redirect to another host, and
// without Remote it connects to loopback addresses alone, whatever the host's name resolves to.
func (c *Config) client() (*http.Client, error) {
	dialer := &net.Dialer{Timeout: c.Timeout}
	if !c.Remote {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			host, _, err := net.SplitHostPort(address)
			if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
				return fmt.Errorf("%s is not a loopback address, and remote is false", address)
			}
			return nil
		}
	}
	t := &http.Transport{
		DialContext: dialer.DialContext, DisableCompression: true, MaxIdleConns: 1, MaxConnsPerHost: 1,
		IdleConnTimeout: time.Minute, TLSHandshakeTimeout: c.Timeout, ResponseHeaderTimeout: c.Timeout,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("read the authorities to trust: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", c.CA)
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: t, CheckRedirect: sameHost}, nil
}

// sameHost lets a redirect pass that stays where the configuration points to.
func sameHost(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if len(via) > 3 || req.URL.Host != first.Host || req.URL.Scheme != first.Scheme {
		return fmt.Errorf("is redirected to %q, which is not followed", req.URL.Redacted())
	}
	return nil
}

// scrape asks the exporter once, within Timeout, and returns the series of the wanted metrics.
func (s *Source) scrape(ctx context.Context, wanted func([]byte) bool) ([]series, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accepted)
	req.Header.Set("User-Agent", "exameter-agent")
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, s.failure(err)
	}
	defer resp.Body.Close()
	if err := acceptable(resp); err != nil {
		return nil, err
	}
	body := &limited{r: resp.Body, left: maxBody}
	out, err := parse(body, wanted)
	if err != nil {
		return nil, s.failure(err)
	}
	return out, nil
}

// acceptable refuses answers that are no expositions.
func acceptable(resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answers %s", resp.Status)
	}
	if e := resp.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return fmt.Errorf("answers with content encoding %q, which was not asked for", e)
	}
	if resp.ContentLength > maxBody {
		return errTooLarge
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.Header.Get("Content-Type") == "", kind == "text/plain", kind == "application/openmetrics-text":
		return nil
	case err != nil:
		return fmt.Errorf("answers with content type %q: %w", resp.Header.Get("Content-Type"), err)
	}
	return fmt.Errorf("answers with content type %q, not with a Prometheus exposition", kind)
}

// failure words why there is no answer, without the URL, which the source's name has.
func (s *Source) failure(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return fmt.Errorf("no whole answer within %v", s.Timeout)
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("nobody listens there: is the exporter running?")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errCut
	}
	// The second is what net/http says where something speaks before it is asked.
	if s := err.Error(); strings.Contains(s, "malformed HTTP") || strings.Contains(s, "readLoopPeekFail") {
		return errors.New("answers, but does not speak HTTP")
	}
	return err
}

var errTooLarge = fmt.Errorf("the answer is larger than %d MiB", maxBody>>20)

// limited reads up to a number of bytes and fails where there are more.
type limited struct {
	r    io.Reader
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, errTooLarge
	}
	if len(p) > l.left {
		p = p[:l.left]
	}
	n, err := l.r.Read(p)
	l.left -= n
	return n, err
}
