package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/exameter/exameter/collector/fleet"
)

var (
	faultyDesc  = desc("devices_faulty", "Faulty devices of hosts of this collector's parts that report, by centre and reason; those without a reason have none.", "centre", "reason")
	queuedDesc  = desc("agent_queued_records", "Records that wait in the agents of hosts of this collector's parts that report, by centre.", "centre")
	skewedDesc  = desc("hosts_skewed", "Hosts of this collector's parts whose last report's own time is more than a minute from its record time, by centre.", "centre")
	sourcesDesc = desc("hosts_source_failing", "Hosts of this collector's parts that report and have a source that fails, by centre.", "centre")

	agentDescs = []*prometheus.Desc{faultyDesc, queuedDesc, skewedDesc, sourcesDesc}
)

// collectAgents sends what agents say of themselves and of their devices, by centre.
func collectAgents(centres map[string]fleet.Stats, gauge gauger) {
	for centre, s := range centres {
		gauge(queuedDesc, float64(s.QueuedRecords), centre)
		gauge(skewedDesc, float64(s.SkewedHosts), centre)
		gauge(sourcesDesc, float64(s.FailingHosts), centre)
		s.Faults.ByReason(func(reason string, n int64) { gauge(faultyDesc, float64(n), centre, reason) })
	}
}
