package collector

import (
	"testing"
	"time"

	"github.com/exameter/exameter/collector/partial"
	"github.com/exameter/exameter/collector/view"
)

// TestAnnouncementOutlivesAnotherOwnersSums takes a part over of which a device is announced that no host claims any more. The owner
// before counted it in its last sums, whose sequence says nothing here: each collector counts its own. Until sums of the new owner were
// read back, the device may still count, and another part that saw the announcement taken back would count it a second time.
func TestAnnouncementOutlivesAnotherOwnersSums(t *testing.T) {
	const claim = uint64(0x1234)
	now := time.UnixMilli(1_795_420_800_000)
	before := &view.Standing{Instance: "one", Sequence: 5000, Seen: 10, Revision: 20}
	before.Buckets[partial.BucketOf(claim)].Held = partial.Hashes{claim}

	var a announcer
	a.begin("two", before, nil)
	a.summed(7, nil) // written, and not read back: it may be lost on its way
	sequence := int64(7)
	next := func() int64 { sequence++; return sequence }
	announced := func(s *view.Standing) bool {
		a.read(s, now)
		for i, r := range a.records(2, false, now, next) {
			if i == partial.BucketOf(claim) {
				return r.Held.Has(claim)
			}
		}
		return a.buckets[partial.BucketOf(claim)].held.Has(claim)
	}
	for _, s := range []view.Standing{
		{Instance: "one", Sequence: 5000, Seen: 10, Revision: 21},
		{Instance: "two", Sequence: 6, Seen: 21, Revision: 22},
	} {
		s.Buckets = before.Buckets
		if !announced(&s) {
			t.Fatalf("taken back after sums %d of %s: the device may still count", s.Sequence, s.Instance)
		}
	}
	if after := (&view.Standing{Instance: "two", Sequence: 7, Seen: 22, Revision: 24, Buckets: before.Buckets}); announced(after) {
		t.Error("still announced after sums of its own without the device were read back: nobody else could ever count it alone")
	}
}
