package main

import (
	"context"
	"net/url"
	"time"

	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/collector/capacity"
)

// ledgerClientOf asks as programs do, and reads answers with the collector's own types, which the ledger has too.
type ledgerClientOf struct{ *client.Client }

func ledgerClient(address string, timeout time.Duration) (*ledgerClientOf, error) {
	c, err := client.New(client.Options{Addresses: []string{address}, Timeout: timeout, Rounds: 1})
	return &ledgerClientOf{c}, err
}

func (c *ledgerClientOf) get(ctx context.Context, path string, query url.Values) ([]byte, error) {
	a, err := c.Get(ctx, path, query)
	if err != nil {
		return nil, err
	}
	return a.Body, nil
}

func (c *ledgerClientOf) capacity(ctx context.Context, query url.Values) (*capacity.Document, error) {
	body, err := c.get(ctx, "v1/capacity", query)
	if err != nil {
		return nil, err
	}
	return parseDocument(body)
}
