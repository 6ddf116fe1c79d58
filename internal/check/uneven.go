package check

import "github.com/exameter/exameter/telemetry"

// Uneven fails what because a centre's topics have different numbers of partitions, so that a host's records stand in partitions of different
// numbers.
//
// Telemetry is short-lived and may be spread anew. An inventory is compacted: a host whose partition changes would stand in two of them for good,
// and its devices be claimed by two parts.
func (r *Report) Uneven(what, centre string, inventory, reports int) {
	r.Fail(what, "inventory has %d partitions and telemetry %d; the two must be equal", inventory, reports)
	if inventory > reports {
		r.Do("kafka-topics.sh --alter --topic %s --partitions %d", telemetry.TelemetryTopic(centre), inventory)
		return
	}
	r.Do("delete %s, make it anew (exameter topics create --centre %s --partitions %d --brokers HOST:PORT) and restart the collectors; agents fill it within an hour",
		telemetry.InventoryTopic(centre), centre, reports)
}
