package group

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/telemetry"
)

// province is 13 centres of 12 partitions, 156 parts.
func province() map[string]int {
	parts := map[string]int{}
	for i := range 13 {
		parts[fmt.Sprintf("centre-%d", i)] = 12
	}
	return parts
}

func members(n int) []member {
	out := make([]member, n)
	for i := range out {
		out[i] = member{key: fmt.Sprintf("member-%d", i), instance: fmt.Sprintf("collector-%d:8470", i), parts: province()}
	}
	return out
}

// owners checks that every part has one owner, and that shares are bounded.
func owners(t *testing.T, ms []member, parts int) map[consume.Part]string {
	t.Helper()
	instance := map[string]string{}
	for _, m := range ms {
		instance[m.key] = m.instance
	}
	out := map[consume.Part]string{}
	for key, owned := range spread(ms) {
		if share := (parts + len(ms) - 1) / len(ms); len(owned) > share {
			t.Errorf("%s has %d parts, its share is %d", key, len(owned), share)
		}
		for _, p := range owned {
			if out[p] != "" {
				t.Errorf("%s has two owners", p)
			}
			out[p] = instance[key]
		}
	}
	if len(out) != parts {
		t.Errorf("%d parts have an owner, want %d", len(out), parts)
	}
	return out
}

func moved(a, b map[consume.Part]string) (n int) {
	for p, owner := range a {
		if b[p] != owner {
			n++
		}
	}
	return n
}

// TestFewPartsMove lets a member leave, come back under another member id, and a fourth join.
func TestFewPartsMove(t *testing.T) {
	three := owners(t, members(3), 156)
	two := owners(t, members(3)[:2], 156)
	if n := moved(three, two); n < 52 || n > 65 {
		t.Errorf("%d parts moved when a third of them had to", n)
	}
	back := members(3)
	back[2].key = "another"
	if n := moved(three, owners(t, back, 156)); n != 0 {
		t.Errorf("%d parts moved although the same instances are there", n)
	}
	if n := moved(three, owners(t, members(4), 156)); n < 39 || n > 60 {
		t.Errorf("%d parts moved when a quarter of them had to", n)
	}
}

// TestUnequalMembers gives parts to those who can reach them, and shares between two of one name.
func TestUnequalMembers(t *testing.T) {
	ms := members(3)
	ms[0].parts = map[string]int{}
	ms[2].parts = map[string]int{"centre-0": 12, "late": 2}
	got := spread(ms)
	if len(got["member-0"]) != 0 || len(got["member-1"])+len(got["member-2"]) != 158 {
		t.Errorf("parts: %d, %d, %d", len(got["member-0"]), len(got["member-1"]), len(got["member-2"]))
	}
	for _, p := range got["member-1"] {
		if p.Centre == "late" {
			t.Errorf("%s went to a member that does not know it", p)
		}
	}
	twins := members(2)
	twins[1].instance = twins[0].instance
	owners(t, twins, 156)
	if len(spread(nil)) != 0 {
		t.Error("nobody owns something")
	}
}

// TestAssignments reads what kafka-go would carry to the members.
func TestAssignments(t *testing.T) {
	introduce := func(instance string) []byte {
		b, err := json.Marshal(introduction{Instance: instance, Parts: map[string]int{"guian": 5, "anshun": 3}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	got := balancer{}.AssignGroups([]kafka.GroupMember{
		{ID: "x", UserData: introduce("one")}, {ID: "y", UserData: introduce("two")}, {ID: "z", UserData: []byte("not ours")},
	}, nil)
	seen := map[int]int{}
	for _, topics := range got {
		for topic, ids := range topics {
			if topic != telemetry.PartialsTopic {
				t.Errorf("an assignment of topic %s", topic)
			}
			for _, n := range ids {
				seen[n]++
			}
		}
	}
	for _, p := range []consume.Part{{Centre: "guian", Number: 4}, {Centre: "anshun", Number: 0}} {
		if seen[int(id(p))] != 1 {
			t.Errorf("%s is owned %d times", p, seen[int(id(p))])
		}
	}
	if seen[office] != 1 {
		t.Errorf("%d members write the feed", seen[office])
	}
	if delete(seen, office); len(seen) != 8 || len(got["z"][telemetry.PartialsTopic]) != 0 {
		t.Errorf("%d parts are owned, %v by a member that says nothing", len(seen), got["z"])
	}
}

// TestID keeps the numbers of parts within what Kafka can carry, and those of one centre apart.
func TestID(t *testing.T) {
	for centre := range province() {
		seen := map[int32]bool{}
		for n := range maxPartitions {
			v := id(consume.Part{Centre: centre, Number: n})
			if v < 0 || seen[v] {
				t.Fatalf("%s/%d has id %d", centre, n, v)
			}
			seen[v] = true
		}
	}
}

// TestElect has one member write the feed, of those that can reach a part, and leaves it with whoever had it.
func TestElect(t *testing.T) {
	three := elect(members(3))
	for n := range 3 {
		without := slices.Delete(members(3), n, n+1)
		if got := elect(without); got == "" || members(3)[n].key != three && got != three {
			t.Errorf("without member %d it went from %s to %s", n, three, got)
		}
	}
	blind := members(3)
	for i := range blind {
		if blind[i].key == three {
			blind[i].parts = nil
		}
	}
	if got := elect(blind); got == three || got == "" {
		t.Errorf("%q writes what it cannot read", got)
	}
	if got := elect(nil); got != "" {
		t.Errorf("of nobody, %q writes", got)
	}
}

// twins are two centres whose parts have the same numbers in the group's assignments: among some hundred centres there are likely some.
func twins(t *testing.T) (a, b string) {
	t.Helper()
	seen := map[int32]string{}
	for i := range 1 << 17 {
		name := fmt.Sprintf("centre-%d", i)
		n := id(consume.Part{Centre: name})
		if first, taken := seen[n]; taken {
			return first, name
		}
		seen[n] = name
	}
	t.Fatal("no two centres have the same number")
	return "", ""
}

// TestPartsOfOneNumber lets two centres' parts have the same numbers: whoever has a number owns the parts of both, so that only one may have it,
// also where one of the members does not see one of the centres yet.
func TestPartsOfOneNumber(t *testing.T) {
	a, b := twins(t)
	all := map[string]int{a: 12, b: 12}
	for name, parts := range map[string][]map[string]int{
		"all see both":                 {all, all, all},
		"one does not see one of them": {all, {a: 12}, all},
		"none sees both":               {{a: 12}, {b: 12}},
		"one is longer":                {{a: 12, b: 3}, {a: 5, b: 12}},
	} {
		var ms []kafka.GroupMember
		for i, p := range parts {
			ms = append(ms, introduced(t, i, p))
		}
		owner := map[int]string{}
		for key, topics := range (balancer{}).AssignGroups(ms, nil) {
			for _, n := range topics[telemetry.PartialsTopic] {
				if owner[n] != "" && n != office {
					t.Errorf("%s: number %d is given to %s and to %s", name, n, owner[n], key)
				}
				owner[n] = key
			}
		}
		for n := range 12 {
			if owner[int(id(consume.Part{Centre: a, Number: n}))] == "" {
				t.Errorf("%s: part %d has no owner", name, n)
			}
		}
	}
}

func introduced(t *testing.T, i int, parts map[string]int) kafka.GroupMember {
	t.Helper()
	data, err := json.Marshal(introduction{Instance: fmt.Sprintf("collector-%d:8470", i), Parts: parts})
	if err != nil {
		t.Fatal(err)
	}
	return kafka.GroupMember{ID: fmt.Sprintf("member-%d", i), UserData: data}
}
