package telemetry

import (
	"strings"
	"testing"
)

// TestTopics names topics and reads their names.
func TestTopics(t *testing.T) {
	f := func(topic, centre string, inventory, ok bool) {
		t.Helper()
		if c, inv, good := CentreOfTopic(topic); good != ok || ok && (c != centre || inv != inventory) {
			t.Errorf("CentreOfTopic(%q) = %q, %t, %t", topic, c, inv, good)
		}
	}
	f(InventoryTopic("guian-sc"), "guian-sc", true, true)
	f(TelemetryTopic("guian-sc"), "guian-sc", false, true)
	f(TelemetryTopic(strings.Repeat("x", 63)), strings.Repeat("x", 63), false, true)
	f(TelemetryTopic(strings.Repeat("x", 64)), "", false, false)
	f(TelemetryTopic(""), "", false, false)
	f(InventoryTopic("-guian"), "", true, false)
	f(InventoryTopic("guian-"), "", true, false)
	f(InventoryTopic("gui.an"), "", true, false)
	f(InventoryTopic("Guian"), "", true, false)
	f(QuarantineTopic, "", false, false)
	f("exameter.v2.telemetry.guian", "", false, false)
	f("", "", false, false)
}
