package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/client"
)

// asking are the flags of every command that asks collectors.
type asking struct {
	collectors    []string
	timeout       time.Duration
	ca, cert, key string
	tokenFile     string
	output        oneOf
	watch         bool
	every         time.Duration
}

// flags adds the flags that say which collectors to ask, and how.
func (a *asking) flags(cmd *cobra.Command) {
	fl := cmd.Flags()
	where := strings.Split(cmp.Or(os.Getenv("EXAMETER_COLLECTOR"), client.DefaultAddress), ",")
	fl.StringSliceVar(&a.collectors, "collector", where, "where collectors answer; several take over from each other. $EXAMETER_COLLECTOR sets the default")
	fl.DurationVar(&a.timeout, "timeout", 10*time.Second, "how long to wait for an answer")
	fl.StringVar(&a.ca, "ca", os.Getenv("EXAMETER_CA"), "PEM file of the authorities to verify collectors by. $EXAMETER_CA sets the default")
	fl.StringVar(&a.cert, "cert", "", "PEM file of the certificate to show to collectors")
	fl.StringVar(&a.key, "key", "", "PEM file of its key")
	fl.StringVar(&a.tokenFile, "token-file", os.Getenv("EXAMETER_TOKEN_FILE"), "file of the bearer token to show to collectors. $EXAMETER_TOKEN_FILE sets the default")
}

// outputFlags adds the flag that says how to print.
func (a *asking) outputFlags(cmd *cobra.Command) {
	a.output = oneOf{"table", []string{"table", "json", "csv"}}
	cmd.Flags().VarP(&a.output, "output", "o", "how to print")
	complete(cmd, "output", a.output.want...)
}

// watchFlags add the flags that go on asking.
func (a *asking) watchFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&a.watch, "watch", "w", false, "go on until interrupted: in place on a terminal, below each other elsewhere")
	cmd.Flags().DurationVar(&a.every, "every", 2*time.Second, "how often to ask with --watch")
}

// client makes the client that the flags describe.
func (a *asking) client(cmd *cobra.Command) (*client.Client, error) {
	if cmd.Flags().Lookup("every") != nil && a.every < 100*time.Millisecond {
		return nil, misused(cmd, "--every: %s is below 100ms", a.every)
	}
	if a.timeout <= 0 {
		return nil, misused(cmd, "--timeout: %s is not above zero", a.timeout)
	}
	var secure *tls.Config
	if a.ca != "" || a.cert != "" || a.key != "" {
		var err error
		if secure, err = client.LoadTLS(a.ca, a.cert, a.key); err != nil {
			return nil, err
		}
	}
	c, err := client.New(client.Options{
		Addresses: a.collectors, TLS: secure, TokenFile: a.tokenFile, Timeout: a.timeout, UserAgent: "exameter/" + version,
	})
	if err != nil {
		return nil, misused(cmd, "--collector: %w", err)
	}
	return c, nil
}

// question is one that can be printed in three ways: the collector's own JSON, rows for a spreadsheet, and a table for people.
type question struct {
	path  string
	query map[string][]string
	// read takes the answer and returns it for printing.
	read func(body []byte) (printed, error)
	// rows says that the collector gives CSV itself.
	rows bool
}

// printed is an answer that can be printed.
type printed interface {
	table(l look) (string, error)
}

// rower is an answer of which the collector gives no rows, and which has its own.
type rower interface {
	csv() ([][]string, error)
}

// collectorRows are rows that the collector gave.
type collectorRows struct {
	text []byte
	more bool // there is another page
}

func (r collectorRows) table(look) (string, error) { return string(r.text), nil }

// ask returns one answer as it is to be printed.
func (a *asking) ask(ctx context.Context, c *client.Client, q question, l look) ([]byte, printed, error) {
	if a.output.value == "csv" && q.rows {
		q.query["format"] = []string{"csv"}
		got, err := c.Get(ctx, q.path, q.query)
		if err != nil {
			return nil, nil, err
		}
		return got.Body, collectorRows{got.Body, got.Next != ""}, nil
	}
	got, err := c.Get(ctx, q.path, q.query)
	if err != nil {
		return nil, nil, err
	}
	doc, err := q.read(got.Body)
	if err != nil {
		return nil, nil, err
	}
	text, err := a.text(got.Body, doc, l)
	return text, doc, err
}

// text is an answer as it is to be printed.
func (a *asking) text(body []byte, doc printed, l look) ([]byte, error) {
	switch a.output.value {
	case "json":
		return body, nil
	case "csv":
		rows, err := doc.(rower).csv()
		if err != nil {
			return nil, err
		}
		return csvText(rows)
	default:
		s, err := doc.table(l)
		return []byte(s), err
	}
}

// run asks once, or again and again with --watch. It returns the last answer.
func (a *asking) run(cmd *cobra.Command, q question) (printed, error) {
	c, err := a.client(cmd)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	out := cmd.OutOrStdout()
	if a.watch {
		return nil, a.poll(cmd, c, q)
	}
	l := lookOf(out)
	text, doc, err := a.ask(cmd.Context(), c, q, l)
	if err != nil {
		return nil, err
	}
	if rows, given := doc.(collectorRows); given && rows.more {
		fmt.Fprintln(cmd.ErrOrStderr(), l.t("There are more than these: --limit gives more."))
	}
	_, err = out.Write(text)
	return doc, err
}

// poll asks until it is interrupted.
func (a *asking) poll(cmd *cobra.Command, c *client.Client, q question) error {
	ctx, s := cmd.Context(), newScreen(cmd.OutOrStdout())
	defer s.close()
	t := time.NewTicker(a.every)
	defer t.Stop()
	for {
		l := lookOf(s.out)
		text, doc, err := a.ask(ctx, c, q, l)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !s.shown {
			return err
		}
		if err := a.show(s, text, doc, err, l); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// keeper is an answer whose last lines stay in a window that is too small for all: so many of them.
type keeper interface {
	kept(l look) int
}

// show puts tables in each other's place; what programs read is only ever appended, and what went wrong is none of it.
func (a *asking) show(s *screen, text []byte, doc printed, trouble error, l look) error {
	switch {
	case trouble != nil && a.output.value != "table":
		return nil
	case trouble != nil: // What was shown is old now, and so it goes.
		return s.show(fmt.Appendf(nil, "%s  %s\n", stamp(l.now), printableLines(trouble.Error())), 0)
	case a.output.value == "table":
		kept := 0
		if k, says := doc.(keeper); says {
			kept = k.kept(l)
		}
		return s.show(text, kept)
	}
	s.shown = true
	_, err := s.out.Write(text)
	return err
}

// decoded reads an answer's JSON.
func decoded(body []byte, doc any) error {
	if err := json.Unmarshal(body, doc); err != nil {
		return fmt.Errorf("read the collector's answer: %w", err)
	}
	return nil
}
