package main

import (
	"testing"
	"time"
)

// said is where what the command prints goes in a test.
type said struct{ *testing.T }

func (s said) Write(text []byte) (int, error) {
	s.Logf("%s", text)
	return len(text), nil
}

// TestWorstDay is a short one of what `make chaos` does.
func TestWorstDay(t *testing.T) {
	violations, err := run(t.Context(), 50*time.Second, 15, t.TempDir(), said{t})
	if err != nil {
		t.Fatal(err)
	}
	if violations > 0 {
		t.Errorf("%d violations", violations)
	}
}
