package fleet

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/exameter/exameter/telemetry"
)

func TestAdmit(t *testing.T) {
	type record struct {
		boot  string
		seq   int64
		event int // seconds by the host's clock
		at    int // seconds by the broker's
		want  Outcome
	}
	for name, records := range map[string][]record{
		"in order":                               {{"a", 1, 0, 0, Applied}, {"a", 2, 10, 10, Applied}, {"a", 9, 20, 20, Applied}},
		"a replay":                               {{"a", 1, 0, 0, Applied}, {"a", 2, 10, 10, Applied}, {"a", 1, 0, 11, Duplicate}, {"a", 2, 10, 12, Duplicate}, {"a", 2, 10, 9999, Duplicate}},
		"overtaken":                              {{"a", 2, 10, 10, Applied}, {"a", 1, 0, 11, Duplicate}},
		"the clock set back within a boot":       {{"a", 1, 1000, 0, Applied}, {"a", 2, 10, 10, Applied}},
		"the agent lost count":                   {{"a", 70, 10, 10, Applied}, {"a", 1, 20, 20, Restarted}, {"a", 70, 10, 21, Applied}, {"a", 2, 30, 30, Restarted}},
		"a reboot":                               {{"a", 70, 10, 10, Applied}, {"b", 1, 20, 20, Applied}, {"a", 69, 9, 21, Outdated}, {"b", 2, 30, 30, Applied}},
		"an old boot's records, while quiet":     {{"a", 70, 10, 10, Applied}, {"b", 1, 20, 20, Applied}, {"a", 69, 9, 500, Outdated}, {"a", 71, 11, 501, Outdated}},
		"a reboot with the clock behind":         {{"a", 70, 1000, 10, Applied}, {"b", 1, 5, 20, Outdated}, {"b", 2, 15, 41, Applied}, {"b", 3, 25, 50, Applied}},
		"a reboot with the clock ahead":          {{"a", 70, 10, 10, Applied}, {"b", 1, 99_999, 20, Applied}, {"b", 2, 30, 30, Applied}, {"a", 71, 20, 31, Outdated}, {"b", 3, 40, 40, Applied}},
		"taken for the new boot, and corrected":  {{"b", 5, 50, 50, Applied}, {"a", 70, 60, 51, Applied}, {"b", 6, 70, 60, Returned}},
		"two hosts of one id":                    {{"a", 7, 10, 10, Applied}, {"b", 5, 11, 11, Applied}, {"a", 8, 20, 20, Returned}, {"b", 6, 21, 21, Returned}, {"b", 7, 22, 22, Applied}},
		"a record time of the year 1970 is fine": {{"a", 1, 0, 0, Applied}, {"a", 1, 0, 0, Duplicate}},
	} {
		var o order
		for i, r := range records {
			h := telemetry.Header{Boot: r.boot, Seq: r.seq, Time: start.Add(time.Duration(r.event) * time.Second)}
			if got := o.admit(&h, int64(r.at)*1000, 30_000); got != r.want {
				t.Errorf("%s: record %d is %s, want %s", name, i, got, r.want)
			}
		}
	}
}

// TestRebuild makes a fleet anew from what the log still holds — the last inventory of each host, and reports of the last
// three times StaleAfter — and finds the figures of the one that followed all along.
func TestRebuild(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		followed := New(Options{StaleAfter: stale, Pricing: testPricing(1)})
		d := &drawer{t: t, now: start, seqs: map[string]int64{}}
		inventories := map[string]func(*Fleet){}
		type report struct {
			host  string
			at    time.Time
			apply func(*Fleet)
		}
		var reports []report
		seq := int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			d.now = d.now.Add(time.Duration(rapid.IntRange(0, 12).Draw(t, "seconds")) * time.Second)
			host, at := rapid.SampledFrom([]string{"h0", "h1", "h2"}).Draw(t, "host"), d.now
			seq++
			switch rapid.IntRange(0, 9).Draw(t, "op") {
			case 0, 1:
				inv := d.inventory(host)
				inv.Boot, inv.Time, inv.Seq = "boot", d.now, seq
				for i := range inv.Devices { // no device is claimed twice
					inv.Devices[i].ID += host
				}
				apply := func(f *Fleet) { f.ApplyInventory("a", inv, at) }
				apply(followed)
				inventories[host] = apply
			case 2:
				if !followed.Retire("a", host) {
					continue
				}
				delete(inventories, host)
				// A host that is retired has stopped; nothing of it is left when somebody brings it back.
				reports = slices.DeleteFunc(reports, func(r report) bool { return r.host == host })
			default:
				r := d.report(host)
				r.Boot, r.Time, r.Seq = "boot", d.now, seq
				for i := range r.Devices {
					r.Devices[i].ID += host
				}
				apply := func(f *Fleet) { f.ApplyReport("a", r, at) }
				apply(followed)
				reports = append(reports, report{host, at, apply})
			}
			if rapid.IntRange(0, 3).Draw(t, "fold") == 0 {
				followed.Fold(d.now)
			}
		}
		rebuilt := New(Options{StaleAfter: stale, Pricing: testPricing(1)})
		for _, apply := range inventories {
			apply(rebuilt)
		}
		for _, r := range reports {
			if d.now.Sub(r.at) <= 3*stale {
				r.apply(rebuilt)
			}
		}
		same(t, rebuilt.Fold(d.now), followed.Fold(d.now))
	})
}
