package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/collector/capacity"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 256 << 20

// client asks one collector.
type client struct {
	base *url.URL
	http *http.Client
}

// clientFlags adds the flags that say which collector to ask, and how long to wait for it.
func clientFlags(cmd *cobra.Command, collector *string, timeout *time.Duration) {
	fl := cmd.Flags()
	fl.StringVar(collector, "collector", cmp.Or(os.Getenv("EXAMETER_COLLECTOR"), defaultCollector), "where the collector answers; $EXAMETER_COLLECTOR sets the default")
	fl.DurationVar(timeout, "timeout", 10*time.Second, "how long to wait for an answer")
}

// newClient makes a client of a collector's address: http://host:port, or host:port alone.
func newClient(address string, timeout time.Duration) (*client, error) {
	if !strings.Contains(address, "://") {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, fmt.Errorf("collector %q is not a URL such as http://127.0.0.1:8470", address)
		}
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("collector %q is not a URL such as http://127.0.0.1:8470", address)
	}
	return &client{base: u, http: &http.Client{Timeout: timeout}}, nil
}

// get returns the body of an answer, or the collector's own words for why there is none.
func (c *client) get(ctx context.Context, path string, query url.Values) ([]byte, error) {
	u := c.base.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask the collector: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the collector: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the collector's answer: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return body, nil
	}
	var problem struct{ Detail string }
	if json.Unmarshal(body, &problem) == nil && problem.Detail != "" {
		return nil, fmt.Errorf("the collector at %s answers %s: %s", c.base, resp.Status, problem.Detail)
	}
	return nil, fmt.Errorf("the collector at %s answers %s", c.base, resp.Status)
}

// capacity asks for a capacity document.
func (c *client) capacity(ctx context.Context, query url.Values) (*capacity.Document, error) {
	body, err := c.get(ctx, "v1/capacity", query)
	if err != nil {
		return nil, err
	}
	return parseDocument(body)
}

func parseDocument(body []byte) (*capacity.Document, error) {
	var doc capacity.Document
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("read the collector's answer: %w", err)
	}
	return &doc, nil
}
