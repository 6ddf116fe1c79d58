package telemetry

import (
	"fmt"
	"strings"
)

// TopicPrefix is what the names of all topics begin with.
const TopicPrefix = "exameter.v1."

// The topics. A centre has topics of its own, so that Kafka's access control makes it impossible for one centre to
// report as another.
const (
	inventoryPrefix = TopicPrefix + "inventory."
	telemetryPrefix = TopicPrefix + "telemetry."

	// QuarantineTopic holds records that could not be used, with their reason and origin in headers.
	QuarantineTopic = TopicPrefix + "quarantine"

	// PartialsTopic holds what collectors sum up, part by part; see docs/partials.md. It has one partition, so that its
	// offsets order all of it.
	PartialsTopic = TopicPrefix + "partials"

	// CapacityTopic is the feed: the latest figures of the province, of each centre and each pool, and their history; see docs/feed.md.
	CapacityTopic = TopicPrefix + "capacity"
)

// InventoryTopic names the compacted topic of what exists in a centre.
func InventoryTopic(centre string) string { return inventoryPrefix + centre }

// TelemetryTopic names the topic of what is happening in a centre.
func TelemetryTopic(centre string) string { return telemetryPrefix + centre }

// CentreOfTopic returns the centre of an inventory or telemetry topic, and which of the two it is.
func CentreOfTopic(topic string) (centre string, inventory, ok bool) {
	if c, found := strings.CutPrefix(topic, inventoryPrefix); found {
		return c, true, ValidID(c) == nil
	}
	if c, found := strings.CutPrefix(topic, telemetryPrefix); found {
		return c, false, ValidID(c) == nil
	}
	return "", false, false
}

// ValidID reports what is wrong with the id of a centre or a cluster: 1 to 63 of a-z, 0-9 and -, beginning and ending
// with a letter or digit.
func ValidID(id string) error {
	if id == "" || len(id) > 63 {
		return fmt.Errorf("id %q: want 1 to 63 characters, have %d", id, len(id))
	}
	for i := range len(id) {
		c := id[i]
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !letter && (c != '-' || i == 0 || i == len(id)-1) {
			return fmt.Errorf("id %q: want letters a-z, digits and inner hyphens", id)
		}
	}
	return nil
}
