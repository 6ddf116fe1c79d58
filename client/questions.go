package client

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxRestarts bounds how often a list of pages is begun anew because its revision was no longer kept.
const maxRestarts = 3

// ask gets an answer in JSON into out.
func (c *Client) ask(ctx context.Context, path string, query url.Values, out any) error {
	a, err := c.Get(ctx, path, query)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.Body, out); err != nil {
		return fmt.Errorf("read the collector's answer: %w", err)
	}
	return nil
}

// Capacity asks what there is, what works and what is free.
func (c *Client) Capacity(ctx context.Context, q CapacityQuery) (*Capacity, error) {
	var out Capacity
	if err := c.ask(ctx, "v1/capacity", q.Values(), &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// Pools asks for one page of pools.
func (c *Client) Pools(ctx context.Context, q PoolsQuery) (*Pools, error) {
	var out Pools
	if err := c.ask(ctx, "v1/pools", q.Values(), &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// AllPools asks for pools page by page, all of one revision.
func (c *Client) AllPools(ctx context.Context, q PoolsQuery) (*Pools, error) {
	var all *Pools
	err := pages(func(cursor string) (string, error) {
		q.Cursor = cursor
		page, err := c.Pools(ctx, q)
		if err != nil {
			return "", err
		}
		if cursor == "" {
			all = page
		} else {
			all.Pools = append(all.Pools, page.Pools...)
		}
		return page.Next, nil
	})
	if err != nil {
		return nil, err
	}
	all.Next = ""
	return all, nil
}

// Match asks where a job fits now. An answer of which Fits is false is an answer, and Short says what is short.
func (c *Client) Match(ctx context.Context, q MatchQuery) (*Match, error) {
	var out Match
	if err := c.ask(ctx, "v1/match", q.Values(), &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// Hosts asks for one page of hosts.
func (c *Client) Hosts(ctx context.Context, q HostsQuery) (*HostList, error) {
	var out HostList
	if err := c.ask(ctx, "v1/hosts", q.Values(), &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// AllHosts asks for hosts page by page and gives each to do, until do returns an error, which it passes on. A host may come
// twice, where the list had to be begun anew. It returns the last page's head and what any page missed.
func (c *Client) AllHosts(ctx context.Context, q HostsQuery, do func(*Host) error) (*HostList, error) {
	var last *HostList
	missing := map[Missing]bool{}
	err := pages(func(cursor string) (string, error) {
		q.Cursor = cursor
		page, err := c.Hosts(ctx, q)
		if err != nil {
			return "", err
		}
		last = page
		for _, m := range page.Missing {
			missing[m] = true
		}
		for i := range page.Hosts {
			if err := do(&page.Hosts[i]); err != nil {
				return "", err
			}
		}
		return page.Next, nil
	})
	if err != nil {
		return nil, err
	}
	last.Hosts, last.Next, last.Missing = nil, "", slices.SortedFunc(maps.Keys(missing), func(a, b Missing) int {
		return cmp.Or(strings.Compare(a.Centre, b.Centre), cmp.Compare(a.Part, b.Part))
	})
	return last, nil
}

// pages asks for page after page, and begins anew where the revision of the first one is no longer kept.
func pages(page func(cursor string) (next string, err error)) error {
	for restarts, cursor := 0, ""; ; {
		next, err := page(cursor)
		switch {
		case err != nil && IsGone(err) && cursor != "" && restarts < maxRestarts:
			restarts++
			next = ""
		case err != nil:
			return err
		case next == "":
			return nil
		}
		cursor = next
	}
}

// Centres asks for the registry's centres beside what is observed of them. Of the filter, kind and precision count.
func (c *Client) Centres(ctx context.Context, f Filter) (*Centres, error) {
	f = Filter{Kind: f.Kind, Precision: f.Precision}
	var out Centres
	if err := c.ask(ctx, "v1/centres", f.Values(), &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// Explain asks how a figure came about.
func (c *Client) Explain(ctx context.Context, q ExplainQuery) (*Explanation, error) {
	var out Explanation
	if err := c.ask(ctx, "v1/explain", q.Values(), &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// History asks how a figure went.
func (c *Client) History(ctx context.Context, q HistoryQuery) (*History, error) {
	var out History
	if err := c.ask(ctx, "v1/history", q.Values(), &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// History is how the figure of one scope went: accelerators, each by its class's precision.
type History struct {
	Head
	Scope  string    `json:"scope"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	StepS  float64   `json:"step_s"`
	Points []Point   `json:"points"` // by time; a step of which nothing is known is left out
}

// Point is the figure at one time.
type Point struct {
	At           time.Time `json:"at"`
	Revision     int64     `json:"revision"`
	Devices      Devices   `json:"devices"`
	Eflops       Eflops    `json:"eflops"`
	Utilisation  *float64  `json:"utilisation"`
	PowerW       float64   `json:"power_w"`
	PowerDevices int64     `json:"power_devices"`
	Hosts        Hosts     `json:"hosts"`
	Coverage     *float64  `json:"coverage"`
}
