package collector

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/hosts"
	"github.com/exameter/exameter/collector/view"
)

// Questions about single hosts are answered by the collectors that own their parts. Any collector asks them and merges what they say;
// whoever is asked by a collector answers for its own parts and asks nobody.

const (
	// maxQuestions bounds the questions that a collector answers at a time, those of clients and those of collectors each.
	maxQuestions = 4
	// waitWithin is how long a question waits for its turn.
	waitWithin = time.Second
	// glance is how many hosts a worker looks at before it applies records again.
	glance = 4096
	// batch is how many hosts of a page are looked at together.
	batch = 128
)

// turns lets so many questions be answered at a time.
type turns chan struct{}

// take waits for a turn, and returns what ends it.
func (t turns) take(ctx context.Context) (end func(), err error) {
	wait := time.NewTimer(waitWithin)
	defer wait.Stop()
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-wait.C:
		return nil, errCrowded
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// admits is which centres answers are about: nil for all.
func (c *collector) admits() func(centre string) bool {
	if c.cfg.Discover {
		return nil
	}
	reg := c.registry.Load()
	return func(centre string) bool { return reg.Centre(centre) != nil }
}

// hosts answers a question, which must be normal, for the whole province: every owner lists the hosts of its parts.
func (c *collector) hosts(ctx context.Context, q hosts.Query) (hosts.Page, error) {
	end, err := c.asked.take(ctx)
	if err != nil {
		return hosts.Page{}, err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, askWithin+waitWithin)
	defer cancel()
	owners := map[view.Owner]map[string][]int{} // the parts of each, by centre
	for _, o := range c.view.Owners(c.admits()) {
		if len(q.Pools.Centre) > 0 && !slices.Contains(q.Pools.Centre, o.Centre) {
			continue
		}
		who := view.Owner{Instance: o.Instance, Address: o.Address}
		if owners[who] == nil {
			owners[who] = map[string][]int{}
		}
		owners[who][o.Centre] = append(owners[who][o.Centre], o.Number)
	}
	replies := make([]*hosts.Reply, 0, len(owners))
	var mu sync.Mutex
	var asking sync.WaitGroup
	room := make(chan struct{}, maxAsked)
	for who, parts := range owners {
		asking.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			reply := c.ask(ctx, who, &hosts.Request{Schema: hosts.Schema, Parts: parts, Query: q})
			mu.Lock()
			defer mu.Unlock()
			replies = append(replies, reply)
		})
	}
	asking.Wait()
	if err := ctx.Err(); err != nil && ctx.Err() != context.DeadlineExceeded {
		return hosts.Page{}, err // nobody waits for the answer any more
	}
	return hosts.Merge(&q, replies), nil
}

// ask asks the owner of some parts. Where there is no answer, all of them are missing.
func (c *collector) ask(ctx context.Context, who view.Owner, req *hosts.Request) *hosts.Reply {
	if who.Instance == c.instance {
		return c.ownHosts(ctx, req)
	}
	reply, err := c.peers.hosts(ctx, who.Address, req)
	reason, result := hosts.Another, "another"
	if err != nil {
		reason, result = why(err)
		c.log.Debug("a collector does not list its hosts", "instance", who.Instance, "address", who.Address, "error", err)
	} else if reply.Instance == who.Instance {
		c.metrics.Peers.WithLabelValues("answered").Inc()
		for i := range reply.Missing {
			reply.Missing[i].Owner = who.Instance
		}
		return reply
	}
	c.metrics.Peers.WithLabelValues(result).Inc()
	reply = &hosts.Reply{}
	for centre, parts := range req.Parts {
		for _, n := range parts {
			reply.Missing = append(reply.Missing, hosts.Missing{Centre: centre, Part: n, Owner: who.Instance, Why: reason})
		}
	}
	return reply
}

// answerHosts answers another collector.
func (c *collector) answerHosts(ctx context.Context, req *hosts.Request) (*hosts.Reply, error) {
	end, err := c.answering.take(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return c.ownHosts(ctx, req), nil
}

// ownHosts lists hosts of this collector's own parts. Its workers look at them side by side.
func (c *collector) ownHosts(ctx context.Context, req *hosts.Request) *hosts.Reply {
	l := &lister{c: c, q: req.Query, now: c.now(), won: sync.OnceValue(func() map[view.Won]bool { return c.view.Won(c.admits()) })}
	for _, centre := range slices.Sorted(maps.Keys(req.Parts)) {
		for _, n := range req.Parts[centre] {
			l.parts = append(l.parts, consume.Part{Centre: centre, Number: n})
		}
	}
	rankings, missing := make([]*hosts.Ranking, len(c.workers)), make([][]hosts.Missing, len(c.workers))
	var looking sync.WaitGroup
	for i, w := range c.workers {
		looking.Go(func() { rankings[i], missing[i] = l.rank(ctx, w) })
	}
	looking.Wait()
	all := hosts.NewRanking(&l.q)
	reply := &hosts.Reply{Schema: hosts.Schema, Instance: c.instance, Rows: []hosts.Row{}, Missing: slices.Concat(missing...)}
	for _, r := range rankings {
		all.Take(r)
	}
	reply.Matching, reply.Reasons = all.Matching, all.Reasons
	list, upto := all.List()
	reply.Upto = upto
	for from := 0; from < len(list); from += batch {
		places := list[from:min(from+batch, len(list))]
		found, err := l.look(ctx, places)
		if err != nil { // too late: what is listed until here is right, and the rest is the next page's
			return l.end(reply, list, from)
		}
		for i := range places {
			if found[i] == nil {
				continue // gone since
			}
			if l.lines += found[i].Lines(); l.lines > hosts.MaxLines && len(reply.Rows) > 0 {
				return l.end(reply, list, from+i)
			}
			reply.Rows = append(reply.Rows, hosts.Row{Key: places[i].Key, Host: *found[i]})
		}
	}
	return reply
}

// lister is one question in the making.
type lister struct {
	c     *collector
	q     hosts.Query
	now   time.Time
	parts []consume.Part // places in a ranking name them by index
	lines int
	won   func() map[view.Won]bool
}

// search is the question as the fleet of a part answers it.
func (l *lister) search(p consume.Part) *fleet.Search {
	return &fleet.Search{Query: l.q, Now: l.now, Wins: func(centre, host string, set bool, id string) bool {
		return l.won()[view.Won{Centre: centre, Number: p.Number, Host: host, Set: set, ID: id}]
	}}
}

// rank ranks the hosts of those parts that are with a worker. Parts that are not there are missing.
func (l *lister) rank(ctx context.Context, w *worker) (*hosts.Ranking, []hosts.Missing) {
	all := hosts.NewRanking(&l.q)
	var missing []hosts.Missing
	var mine []int
	for i, id := range l.parts {
		if l.c.workerOf(id) == w {
			mine = append(mine, i)
		}
	}
	var one *hosts.Ranking // of the part at hand, which leaves nothing behind where it goes before it was looked through
	var search *fleet.Search
	from := uint32(0)
	glimpse := func() {
		for room := uint32(glance); len(mine) > 0 && room > 0; {
			id := l.parts[mine[0]]
			p, why := w.listed(id)
			if p != nil {
				if one == nil {
					one, search, from = hosts.NewRanking(&l.q), l.search(id), 0
				}
				next, more := p.fleet.Rank(search, one, id.Number, mine[0], from, room)
				if room, from = room-(next-from), next; more {
					continue
				}
				all.Take(one)
			} else {
				missing = append(missing, l.missing(id, why))
			}
			one, mine = nil, mine[1:]
		}
	}
	for len(mine) > 0 {
		if err := w.between(ctx, glimpse); err != nil {
			for _, i := range mine {
				missing = append(missing, l.missing(l.parts[i], hosts.Silent))
			}
			break
		}
	}
	return all, missing
}

func (l *lister) missing(id consume.Part, why string) hosts.Missing {
	return hosts.Missing{Centre: id.Centre, Part: id.Number, Owner: l.c.instance, Why: why}
}

// look looks at hosts that were ranked. Those that are gone since are nil.
func (l *lister) look(ctx context.Context, places []hosts.Place) ([]*hosts.Host, error) {
	found := make([]*hosts.Host, len(places))
	byWorker := map[*worker]map[int][]int{} // and by part
	for i := range places {
		w := l.c.workerOf(l.parts[places[i].Part])
		if byWorker[w] == nil {
			byWorker[w] = map[int][]int{}
		}
		byWorker[w][places[i].Part] = append(byWorker[w][places[i].Part], i)
	}
	for w, parts := range byWorker {
		err := w.between(ctx, func() {
			for part, which := range parts {
				p, _ := w.listed(l.parts[part])
				if p == nil {
					continue
				}
				ids := make([]string, len(which))
				for n, i := range which {
					ids[n] = places[i].Key.Host
				}
				for n, h := range p.fleet.Hosts(l.search(p.id), p.id.Centre, ids) {
					found[which[n]] = h
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// end makes a reply complete up to the place before one; where that is the first, all parts are missing.
func (l *lister) end(reply *hosts.Reply, list []hosts.Place, at int) *hosts.Reply {
	if at > 0 {
		reply.Upto = &list[at-1].Key
		return reply
	}
	reply.Rows, reply.Upto, reply.Matching, reply.Reasons, reply.Missing = []hosts.Row{}, nil, 0, nil, nil
	for _, id := range l.parts {
		reply.Missing = append(reply.Missing, l.missing(id, hosts.Silent))
	}
	return reply
}

// listed returns a part whose hosts can be listed, or why they cannot.
func (w *worker) listed(id consume.Part) (p *part, why string) {
	epoch, owned := w.c.owned.of(id)
	p = w.parts[id]
	switch {
	case !owned:
		return nil, hosts.Moved
	case p == nil || p.epoch != epoch || p.last == nil:
		return nil, hosts.Rebuilding
	}
	return p, ""
}

// between runs do in the worker's goroutine, between two batches, unless ctx ends before its turn comes. What do writes may be read only
// where no error is returned.
func (w *worker) between(ctx context.Context, do func()) error {
	done := make(chan struct{})
	select {
	case w.do <- func() { defer close(done); do() }:
	case <-ctx.Done():
		return ctx.Err()
	}
	<-done // it has begun, and is short
	return nil
}
