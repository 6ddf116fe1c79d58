// Dispatcher-go is an example to copy: it takes jobs from a file, starts each where it fits best, and keeps those that fit nowhere
// until something becomes free.
//
// Standing in for a scheduler it prints what it would start. It shows the three things that a dispatcher of one's own needs:
// ask where a job fits, wait for the stream to tell of a change, and leave a pool alone until what was handed out shows up as busy.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/exameter/exameter/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "dispatcher-go:", err)
		os.Exit(1)
	}
}

// run dispatches the jobs of a file until each has been started, or ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	fl := flag.NewFlagSet("dispatcher-go", flag.ContinueOnError)
	collectors := fl.String("collectors", client.DefaultAddress, "addresses of collectors, separated by commas")
	token := fl.String("token-file", "", "file with the token to show, where collectors ask for one")
	settle := fl.Duration("settle", 30*time.Second, "how long a pool that was given a job is left alone")
	if err := fl.Parse(args); err != nil {
		return err
	}
	if fl.NArg() != 1 {
		return errors.New("want one argument: a file with a job a line, as name, devices, devices a host")
	}
	jobs, err := readJobs(fl.Arg(0))
	if err != nil {
		return err
	}
	c, err := client.New(client.Options{Addresses: strings.Split(*collectors, ","), TokenFile: *token})
	if err != nil {
		return err
	}
	defer c.Close()
	d := &dispatcher{client: c, out: out, settle: *settle, given: map[client.Dimensions]time.Time{}}
	return d.dispatch(ctx, jobs)
}

// job wants so many devices, so many of which share a host.
type job struct {
	name           string
	count, perHost int64
}

func readJobs(path string) (jobs []job, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		if len(words) != 3 {
			return nil, fmt.Errorf("%s:%d: want a name, devices, devices a host", path, n)
		}
		j := job{name: words[0]}
		for i, to := range []*int64{&j.count, &j.perHost} {
			if *to, err = strconv.ParseInt(words[i+1], 10, 64); err != nil || *to < 1 {
				return nil, fmt.Errorf("%s:%d: %q is not a number above zero", path, n, words[i+1])
			}
		}
		jobs = append(jobs, j)
	}
	return jobs, lines.Err()
}

type dispatcher struct {
	client *client.Client
	out    io.Writer
	settle time.Duration
	given  map[client.Dimensions]time.Time // pools that were given a job, and when
	said   map[string]string               // what each waiting job was told last
}

// dispatch tries the jobs whenever something changes, and at least every few seconds: a pool that was left alone is due again
// without anything changing.
func (d *dispatcher) dispatch(ctx context.Context, jobs []job) error {
	d.said = map[string]string{}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	changed := make(chan error, 1)
	go func() {
		for update, err := range d.client.Watch(watching, client.CapacityQuery{}) {
			if update.Trouble != nil {
				continue // the watch asks again by itself; what it tells is old until then
			}
			select {
			case changed <- err:
			default: // a change that was not looked at yet stands for this one too
			}
		}
	}()
	t := time.NewTicker(max(d.settle/4, 100*time.Millisecond))
	defer t.Stop()
	for {
		var err error
		if jobs, err = d.try(ctx, jobs); err != nil || len(jobs) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d jobs are waiting: %w", len(jobs), ctx.Err())
		case err := <-changed:
			if err != nil {
				return err
			}
		case <-t.C:
		}
	}
}

// try starts what fits, in order, and returns what does not.
func (d *dispatcher) try(ctx context.Context, jobs []job) (waiting []job, err error) {
	for _, j := range jobs {
		m, err := d.client.Match(ctx, client.MatchQuery{Count: j.count, PerHost: j.perHost, MaxAge: 30 * time.Second})
		if err != nil {
			return nil, err
		}
		if d.start(j, m) {
			continue
		}
		waiting = append(waiting, j)
	}
	return waiting, nil
}

// start starts a job in the best pool that was not given another one just now.
func (d *dispatcher) start(j job, m *client.Match) bool {
	why := m.Short
	for i := range m.Pools {
		p := &m.Pools[i]
		if !p.Fits {
			continue
		}
		if since := time.Since(d.given[p.Dimensions]); since < d.settle {
			why = "the pools that have room were given jobs just now"
			continue
		}
		d.given[p.Dimensions] = time.Now()
		fmt.Fprintf(d.out, "start %s: %d × %s in %s/%s, by revision %d\n", j.name, j.count, p.Model, p.Centre, p.Cluster, m.Revision)
		return true
	}
	if d.said[j.name] != why {
		d.said[j.name] = why
		fmt.Fprintf(d.out, "wait %s: %s\n", j.name, why)
	}
	return false
}
