package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// findings are what was wrong, by what was promised.
type findings struct {
	began time.Time
	say   func(format string, args ...any)

	mu    sync.Mutex
	count map[string]int
	first map[string]string
}

// violate notes that a promise was not kept.
func (f *findings) violate(promise, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count[promise]++; f.count[promise] == 1 {
		f.first[promise] = fmt.Sprintf("%.1f s after the start: ", time.Since(f.began).Seconds()) + fmt.Sprintf(format, args...)
		f.say("VIOLATION of %q: %s", promise, f.first[promise])
	}
}

// violations is how often promises were not kept.
func (f *findings) violations() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.count {
		n += c
	}
	return n
}

// String lists the violations, each kind with its first.
func (f *findings) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var s strings.Builder
	for _, promise := range slices.Sorted(maps.Keys(f.count)) {
		fmt.Fprintf(&s, "  %s: %d times, first %s\n", promise, f.count[promise], f.first[promise])
	}
	return s.String()
}
