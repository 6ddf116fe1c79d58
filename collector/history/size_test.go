package history

import (
	"runtime"
	"testing"
	"time"

	"github.com/exameter/exameter/collector/capacity"
)

// TestSizeOfScope holds scopes with a full day to what docs/hardware-faults.md says of them, and to take no more with the second day.
func TestSizeOfScope(t *testing.T) {
	const scopes = 20
	before := inUse()
	h, clock := anew(start)
	fill := func(day time.Time) {
		for at := day; at.Before(day.Add(Kept)); at = at.Add(Tiers[0].Step) {
			*clock = at
			for i := range scopes {
				utilisation, coverage := 0.5, 1.0
				p := PointOf(at, at.Unix(), &capacity.Figure{Utilisation: &utilisation, Coverage: &coverage})
				for tier := range Tiers {
					h.Put(CentreScope(string(rune('a'+i))), tier, p, true)
				}
			}
		}
	}
	fill(start)
	first := (inUse() - before) / scopes
	fill(start.Add(Kept))
	second := (inUse() - before) / scopes
	t.Logf("a scope takes %d bytes after a day, %d after two", first, second)
	if first < SizeOfScope/2 || first > SizeOfScope || second > SizeOfScope {
		t.Errorf("a scope takes %d bytes after a day and %d after two, want at most %d", first, second, SizeOfScope)
	}
	runtime.KeepAlive(h)
}

func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
