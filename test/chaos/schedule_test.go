package main

import (
	"slices"
	"testing"
)

func first(seed uint64, n int) (steps []step) {
	for s := range schedule(seed) {
		if steps = append(steps, s); len(steps) == n {
			return steps
		}
	}
	return steps
}

// TestSchedule wants a schedule that can be replayed, and no kind of fault left out of as many steps as there are kinds.
func TestSchedule(t *testing.T) {
	n := len(extents)
	if !slices.Equal(first(7, 3*n), first(7, 3*n)) {
		t.Error("one seed makes two schedules")
	}
	if slices.Equal(first(7, n), first(8, n)) {
		t.Error("two seeds make one schedule")
	}
	kinds := map[kind]int{}
	for _, s := range first(7, 3*n) {
		kinds[s.kind]++
	}
	for _, e := range extents {
		if kinds[e.kind] != 3 {
			t.Errorf("%q comes %d times in three rounds", e.kind, kinds[e.kind])
		}
	}
}
