package main

import (
	"sync"
	"time"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/sim"
	"github.com/exameter/exameter/telemetry"
)

// ledger is what is true of each centre, and was lately: what is on its way when a collector is asked is found a little earlier in it.
type ledger struct {
	province *sim.Province
	servers  func() capacity.Devices // of the real agents' centre

	mu    sync.Mutex
	books []book
	rated map[string]int64 // the most that a centre ever had
}

type book struct {
	at      time.Time
	centres map[string]capacity.Devices
}

// enter notes what is true now.
func (l *ledger) enter() {
	now := time.Now()
	all := l.province.Books(now, staleAfter)
	b := book{at: now, centres: map[string]capacity.Devices{servers: l.servers()}}
	for _, c := range l.province.Centres() {
		b.centres[c] = all.Price(catalog.Default(), func(q *sim.Pool) bool { return q.Centre == c && q.Kind == telemetry.Accelerator }).Devices
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.books = append(l.books, b)
	for now.Sub(l.books[0].at) > lately {
		l.books = l.books[1:]
	}
	for c, d := range b.centres {
		l.rated[c] = max(l.rated[c], d.Rated)
	}
}

// knows reports whether it was lately true of a centre, and what is true now.
func (l *ledger) knows(centre string, d capacity.Devices) (yes bool, now capacity.Devices) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.books {
		yes = yes || b.centres[centre] == d
	}
	if n := len(l.books); n > 0 {
		now = l.books[n-1].centres[centre]
	}
	return yes, now
}

// most is the most devices that a centre ever had.
func (l *ledger) most(centre string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rated[centre]
}

// centres are the centres' names.
func (l *ledger) centres() []string { return append(l.province.Centres(), servers) }
