// Package linefeed writes the figures of the province and its centres to a database that takes line protocol: InfluxDB v1 and v2,
// VictoriaMetrics and whatever else has their API. See docs/write.md.
package linefeed

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/exameter/exameter/internal/config"
)

// Config is the section "write" of the collector's configuration.
type Config struct {
	URL       string          `yaml:"url"`        // where to POST to, with what the database wants to know in it; empty: nowhere
	TokenFile string          `yaml:"token_file"` // holds the token, or the password where there is a username
	Username  string          `yaml:"username"`
	CA        string          `yaml:"ca"` // PEM file of the authorities to trust
	Interval  config.Duration `yaml:"interval"`
}

// DefaultConfig writes nothing.
func DefaultConfig() Config { return Config{Interval: config.Duration(10 * time.Second)} }

// Validate checks the settings below the key "write".
func (c *Config) Validate() error {
	if c.URL == "" {
		if c.TokenFile != "" || c.Username != "" || c.CA != "" {
			return config.Errorf("write.url", "is missing beside other settings")
		}
		return nil
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return config.Errorf("write.url", "is not a URL") // what it holds may be secret
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return config.Errorf("write.url", "want http:// or https:// and a host")
	case u.User != nil || u.Query().Has("p"):
		return config.Errorf("write.url", "holds a password: put it into a file, and name that as token_file")
	case c.CA != "" && u.Scheme != "https":
		return config.Errorf("write.ca", "is of no use without https")
	case c.Username != "" && c.TokenFile == "":
		return config.Errorf("write.token_file", "is missing beside a username")
	}
	if d := c.Interval.D(); d < time.Second || d > time.Hour {
		return config.Errorf("write.interval", "%s is not between 1s and 1h", d)
	}
	return nil
}

// client makes a client that follows nobody elsewhere: a token is for one host.
func (c *Config) client() (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("read write.ca: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("write.ca %q holds no PEM certificate", c.CA)
		}
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	}
	return &http.Client{Transport: t, Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// authorize reads the secret anew for every request, so that one that was changed is found.
func (c *Config) authorize(r *http.Request) error {
	if c.TokenFile == "" {
		return nil
	}
	secret, err := config.Secret(c.TokenFile)
	if err != nil {
		return fmt.Errorf("read write.token_file: %w", err)
	}
	if strings.ContainsAny(secret, "\r\n") {
		return errors.New("write.token_file does not hold one line")
	}
	if c.Username != "" {
		r.SetBasicAuth(c.Username, secret)
		return nil
	}
	r.Header.Set("Authorization", "Token "+secret)
	return nil
}
