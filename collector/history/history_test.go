package history

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/exameter/exameter/collector/capacity"
)

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// point is a figure whose devices tell when it was taken.
func point(at time.Time) Point {
	return PointOf(at, at.Unix(), &capacity.Figure{Devices: capacity.Devices{Rated: at.Unix()}})
}

// anew is an empty history at a moment, which moves when clock is set.
func anew(at time.Time) (h *History, clock *time.Time) {
	h, clock = New(), &at
	h.now = func() time.Time { return *clock }
	return h, clock
}

// TestDay puts a day and a half of figures in, as a collector does: a day of them comes out, one a minute, and an hour of them one in ten seconds.
func TestDay(t *testing.T) {
	h, clock := anew(start)
	for at := start; at.Before(start.Add(36 * time.Hour)); at = at.Add(time.Second) {
		*clock = at
		for tier := range Tiers {
			if _, _, ok := h.At(Province, tier, at); !ok && !h.Put(Province, tier, point(at), false) {
				t.Fatalf("the first point of %s was not taken", at)
			}
		}
	}
	now := start.Add(36*time.Hour - time.Second)
	day := h.Points(Province, now.Add(-48*time.Hour), now, time.Minute)
	if len(day) < 24*60 || len(day) > 24*60+1 {
		t.Errorf("a day has %d minutes", len(day))
	}
	for i := 1; i < len(day); i++ {
		if d := day[i].At.Sub(day[i-1].At); d > 110*time.Second || d < 10*time.Second {
			t.Fatalf("after %s comes %s", day[i-1].At, day[i].At)
		}
	}
	if hour := h.Points(Province, now.Add(-30*time.Minute), now, 10*time.Second); len(hour) != 180 {
		t.Errorf("half an hour has %d points", len(hour))
	}
	if got := h.Points(Province, now.Add(-3*time.Hour), now, time.Hour); len(got) != 4 && len(got) != 3 {
		t.Errorf("three hours have %d", len(got))
	}
	if got := h.Points("centre/a", start, now, time.Minute); got == nil || len(got) != 0 {
		t.Errorf("of a centre that is not known: %v", got)
	}
}

// TestPut lets what stands in the topic win over what a collector saw itself, and later turns over earlier ones, whatever comes first.
func TestPut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, _ := anew(start)
		type put struct {
			at    time.Time
			noted bool
		}
		best := map[int]put{}
		for range rapid.IntRange(1, 20).Draw(t, "n") {
			p := put{start.Add(time.Duration(rapid.Int64Range(0, 8_000).Draw(t, "s")) * time.Second), rapid.Bool().Draw(t, "noted")}
			h.Put(Province, 0, point(p.at), p.noted)
			slot, turn := Tiers[0].Slot(p.at)
			old, taken := best[slot]
			_, was := Tiers[0].Slot(old.at)
			if !taken || turn > was || turn == was && p.noted && !old.noted {
				best[slot] = p
			}
		}
		for _, want := range best {
			p, noted, ok := h.At(Province, 0, want.at)
			if !ok || noted != want.noted || !p.At.Equal(want.at) {
				t.Fatalf("at %s stands %+v, %v", want.at, p, noted)
			}
		}
	})
}

// TestBounded keeps no more scopes than it may.
func TestBounded(t *testing.T) {
	h, _ := anew(start)
	for i := range 2 * maxScopes {
		h.Put(CentreScope(fmt.Sprint("c", i)), 0, point(start), true)
	}
	if len(h.scopes) != maxScopes {
		t.Errorf("%d scopes", len(h.scopes))
	}
}

// TestGone lets a centre go: what is left of it in the topic takes no memory, be it read anew or held since it was there.
func TestGone(t *testing.T) {
	h, clock := anew(start)
	put := func(scope string, at time.Time, noted, want bool) {
		t.Helper()
		if got := h.Put(scope, 1, point(at), noted); got != want {
			t.Errorf("%s at %s: taken %t, want %t", scope, at, got, want)
		}
	}
	put("centre/left", start.Add(-Kept-time.Second), true, false)
	put("centre/late", start.Add(-Kept-time.Second), false, true) // of a broker whose clock is late, and of a centre that is here
	put("centre/leaves", start.Add(-Kept+time.Second), true, true)
	put("centre/stays", start, true, true)
	if len(h.scopes) != 3 {
		t.Errorf("%d scopes", len(h.scopes))
	}
	for range 2 * int(Kept/time.Hour) {
		*clock = clock.Add(time.Hour)
		put("centre/stays", *clock, true, true)
		if gone := clock.Sub(start) > Kept; gone != (h.scopes["centre/leaves"] == nil) {
			t.Fatalf("%s after its last point: %d scopes", clock.Sub(start), len(h.scopes))
		}
	}
	if got := h.Points("centre/stays", start, *clock, time.Hour); len(got) < 24 {
		t.Errorf("%d hours of the one that stays", len(got))
	}
	put("centre/leaves", *clock, true, true) // it is back
}

// FuzzParseKey reads any key: one that is read is written the same.
func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"history/province/1m/0", "history/centre/guian/10s/359", "history/centre/guian/10s/360", "history/pool/a/1m/0", "history//1m/1", "province"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if scope, tier, slot, ok := ParseKey(key); ok && Key(scope, tier, slot) != key {
			t.Errorf("%q was read as %q %d %d", key, scope, tier, slot)
		}
	})
}
