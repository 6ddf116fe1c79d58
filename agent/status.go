package agent

import (
	"fmt"

	"github.com/exameter/exameter/agent/report"
	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/telemetry"
)

// tell says how the agent is, with each report where it differs from what was said before.
func (a *agent) tell(v state.View) {
	if a.options.Status == nil {
		return
	}
	if text := statusText(v, a.outbox.backlog()); text != a.status {
		a.status = text
		a.options.Status(text)
	}
}

// fewWait is how many records may wait before that is worth a word: a report has just been put there, and an inventory perhaps.
const fewWait = 2

// statusText is how the agent is, for a person who looks at its unit.
func statusText(v state.View, b report.Backlog) string {
	count := map[telemetry.State]int{}
	for _, d := range v.Devices {
		count[d.Verdict.State]++
	}
	text := fmt.Sprintf("reports %d accelerators: %d free, %d busy, %d drained, %d faulty", len(v.Devices),
		count[telemetry.Free], count[telemetry.Busy], count[telemetry.Drained], count[telemetry.Faulty])
	if len(v.Devices) == 0 {
		text = "reports this host; no accelerator is known"
	}
	if v.Host != nil {
		text += "; the host is drained: " + v.Host.Reason
	}
	if b.Queued > fewWait {
		text += fmt.Sprintf("; Kafka does not take it: %d records wait", b.Queued)
	}
	if b.Dropped > 0 {
		text += fmt.Sprintf("; %d were dropped", b.Dropped)
	}
	return text
}
