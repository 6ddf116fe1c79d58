package group

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/telemetry"
)

// protocolName changes when members of two versions could not agree on who owns what.
const protocolName = "exameter-parts-1"

// introduction is what a member tells the leader: who it is, and which parts it can reach, as centres with their numbers
// of partitions.
type introduction struct {
	Instance string         `json:"instance"`
	Parts    map[string]int `json:"parts"`
}

// balancer spreads parts over members. The topics that kafka-go's group subscribes to are not the topics of the parts,
// for a group must be left and joined again to subscribe to others, and a new centre is no reason for that. Parts are
// handed out as partition numbers of the one topic subscribed to; see id.
type balancer struct {
	introduce func() introduction
}

func (balancer) ProtocolName() string { return protocolName }

func (b balancer) UserData() ([]byte, error) { return json.Marshal(b.introduce()) }

// AssignGroups is called on the leader alone.
func (balancer) AssignGroups(members []kafka.GroupMember, _ []kafka.Partition) kafka.GroupMemberAssignments {
	in := make([]member, 0, len(members))
	for _, m := range members {
		var intro introduction
		if json.Unmarshal(m.UserData, &intro) != nil {
			intro = introduction{} // it joins without a part
		}
		in = append(in, member{key: m.ID, instance: intro.Instance, parts: intro.Parts})
	}
	out := kafka.GroupMemberAssignments{}
	writer := elect(in)
	for key, parts := range spread(in) {
		ids := make([]int, 0, len(parts)+1)
		if key == writer {
			ids = append(ids, office)
		}
		for _, p := range parts {
			ids = append(ids, int(id(p)))
		}
		slices.Sort(ids)
		out[key] = map[string][]int{telemetry.PartialsTopic: slices.Compact(ids)}
	}
	return out
}

// member is a member as the leader sees it.
type member struct {
	key      string
	instance string
	parts    map[string]int
}

// reached returns those of some parts that the member can reach.
func (m *member) reached(parts []consume.Part) []consume.Part {
	if !slices.ContainsFunc(parts, func(p consume.Part) bool { return m.parts[p.Centre] <= p.Number }) {
		return parts
	}
	return slices.DeleteFunc(slices.Clone(parts), func(p consume.Part) bool { return m.parts[p.Centre] <= p.Number })
}

// claim is a member that can have the parts of one number.
type claim struct {
	score  uint64
	parts  []consume.Part
	member int
}

// maxPartitions is how many partitions of one centre an id can tell apart.
const maxPartitions = 1 << 14

// id packs a part into a number: a hash of its centre, and its partition. Of two centres of one hash those parts that share a number go to one
// owner together: see spread.
func id(p consume.Part) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(p.Centre))
	sum := h.Sum32()
	return int32((sum>>15^sum)&0x1ffff)<<14 | int32(p.Number&(maxPartitions-1))
}

// spread hands every part to one of the members that can reach it: to the one whose instance it agrees with best
// (rendezvous hashing), as long as that one has not its share yet. So a member that comes or goes moves few parts, and no
// member has more than its share unless the others cannot reach the rest. Parts of one number go to one of the members that can reach most of
// them; one that it does not see yet waits until it does.
func spread(members []member) map[string][]consume.Part {
	out := make(map[string][]consume.Part, len(members))
	if len(members) == 0 {
		return out
	}
	instances := map[string]int{}
	partitions := map[string]int{}
	for _, m := range members {
		out[m.key] = nil
		instances[m.instance]++
		for centre, n := range m.parts {
			partitions[centre] = max(partitions[centre], min(n, maxPartitions))
		}
	}
	// Whoever has a number owns all parts of that number, so that they are handed out together.
	lots, total := map[int32][]consume.Part{}, 0
	for _, centre := range slices.Sorted(maps.Keys(partitions)) {
		total += partitions[centre]
		for i := range partitions[centre] {
			p := consume.Part{Centre: centre, Number: i}
			lots[id(p)] = append(lots[id(p)], p)
		}
	}
	var claims []claim
	for _, lot := range lots {
		most := 1
		for _, m := range members {
			most = max(most, len(m.reached(lot)))
		}
		for j, m := range members {
			parts := m.reached(lot)
			if len(parts) < most {
				continue
			}
			name := m.instance
			if instances[name] > 1 {
				name += "\x00" + m.key // two of one name: a mistake, and yet each has its share
			}
			claims = append(claims, claim{score(lot[0], name), parts, j})
		}
	}
	slices.SortFunc(claims, func(a, b claim) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.parts[0].Centre, b.parts[0].Centre), cmp.Compare(a.parts[0].Number, b.parts[0].Number),
			cmp.Compare(members[a.member].key, members[b.member].key))
	})
	share := (total + len(members) - 1) / len(members)
	owned := make(map[int32]bool, len(lots))
	give := func(bounded bool) {
		for _, c := range claims {
			key, number := members[c.member].key, id(c.parts[0])
			if !owned[number] && (!bounded || len(out[key])+len(c.parts) <= share) {
				owned[number] = true
				out[key] = append(out[key], c.parts...)
			}
		}
	}
	give(true)
	give(false)
	return out
}

// office stands among the ids of the one member that writes the feed. No part has this id.
const office = -1

// elect chooses the member that writes the feed: of those that can reach a part the one that agrees best with the office, so that it stays
// with whoever had it. It is empty where there is none.
func elect(members []member) (key string) {
	best := uint64(0)
	for _, m := range members {
		if s := score(consume.Part{Number: office}, m.instance); len(m.parts) > 0 && (key == "" || s > best || s == best && m.key < key) {
			key, best = m.key, s
		}
	}
	return key
}

// score says how well a part and an instance agree.
func score(p consume.Part, instance string) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s/%d\x00%s", p.Centre, p.Number, instance)
	// FNV's upper bits hardly depend on the last bytes, so they are mixed (the finaliser of SplitMix64).
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
