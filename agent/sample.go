package agent

import (
	"context"
	"log/slog"
	"time"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/agent/report"
	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/telemetry"
)

// Sample reads this host twice, with the sampling interval between, and returns the inventory and the report that an
// agent would send, encoded. It needs no broker, and neither reads nor writes the state directory: orders and what was
// seen before are left aside.
func Sample(ctx context.Context, c Config, o Options) (inventory, reports []byte, err error) {
	id, err := identify(c, o)
	if err != nil {
		return nil, nil, err
	}
	log := o.Log
	if log == nil {
		log = slog.Default()
	}
	id.Info.Agent = report.Clean(o.Version, telemetry.MaxName)
	id.Info.ReportEvery = telemetry.Known(telemetry.Milliseconds(c.Intervals.Report.D().Milliseconds()))
	members := o.Sources
	if members == nil {
		members = Members(c, log)
	}
	for i := range members {
		members[i].Deadline = deviceDeadline // nobody waits for the next tick
	}
	poller := poll.New(poll.Config{Sources: members, Interval: 2 * deviceDeadline, Log: log})
	defer func() {
		if stop := poller.Stop(stopSources); err == nil {
			err = stop
		}
	}()
	tracker := state.NewTracker(c.Rules(), nil, state.Orders{}, id.Boot, time.Now(), log)
	g := &report.Gatherer{Origin: telemetry.Origin{Centre: c.Centre, Cluster: c.Cluster, Host: id.ID}, Boot: id.Boot}
	for i := range 2 {
		if i > 0 {
			select {
			case <-time.After(c.Intervals.Sample.D()):
			case <-ctx.Done():
				return nil, nil, ctx.Err()
			}
		}
		t := poller.Sample(ctx)
		g.Add(t, tracker.Apply(t))
	}
	up := o.Uptime
	if up == nil {
		up = Uptime
	}
	var numbers sequence
	seq, err := numbers.next(up)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	if err := clockInOrder(now); err != nil {
		return nil, nil, err
	}
	e := telemetry.Encoder{LeaveOut: true}
	var said troubles
	if inventory, err = e.AppendInventory(nil, g.Inventory(now, seq, id.Info)); err != nil {
		return nil, nil, err
	}
	said.say(log, "tell all of an inventory", e.Left)
	reports, err = e.AppendReport(nil, g.Report(now, seq, c.Rules(), report.Backlog{}))
	said.say(log, "tell all of a report", e.Left)
	return inventory, reports, err
}
