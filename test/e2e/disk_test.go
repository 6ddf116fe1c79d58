package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/kafka"
	"github.com/exameter/exameter/test/slowdisk"
)

// late is by how much a report of every second may be late on a slow and busy machine. A disk here takes longer.
const late = 6 * time.Second

// afflicted is an agent whose state directory, and the spool in it, is on a disk that is not well.
type afflicted struct {
	*world
	disk *slowdisk.Disk
}

func afflict(t *testing.T, cluster *kafka.Cluster, centre, more string) *afflicted {
	t.Helper()
	w := newWorld(t, cluster, centre, brisk)
	a := &afflicted{world: w, disk: slowdisk.Run(t)} // it ends before the agent, which may wait for it
	w.state, w.more = a.disk.Dir, more
	w.write("agent.yaml", w.agentConfig("sim"))
	w.write("cards", cards(nil))
	w.startAgent()
	w.logged("agent", "kafka has the first records", "telemetry")
	return a
}

func (a *afflicted) set(s slowdisk.Settings) {
	a.Helper()
	if err := a.disk.Set(s); err != nil {
		a.Fatal(err)
	}
}

// arrival is a report in Kafka.
type arrival struct {
	telemetry.Report
	at time.Time
}

// arrivals are the reports in Kafka, in the order in which they came.
func (a *afflicted) arrivals() (all []arrival) {
	a.Helper()
	var d telemetry.Decoder
	for _, m := range a.read(telemetry.TelemetryTopic(a.centre)) {
		var r telemetry.Report
		if err := d.Report(m.Value, &r); err != nil {
			a.Fatal(err)
		}
		all = append(all, arrival{r, m.Time})
	}
	return all
}

// made are the numbers of the reports that the agent made before a moment, as its log has them.
func (a *afflicted) made(before time.Time) (numbers []int64) {
	a.Helper()
	text, err := os.ReadFile(a.path("agent.log"))
	if err != nil {
		a.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		head, number, found := strings.Cut(strings.TrimSpace(line), ` msg="made a report" seq=`)
		if !found {
			continue
		}
		stamp, _, _ := strings.Cut(strings.TrimPrefix(head, "time="), " ")
		at, err := time.Parse(time.RFC3339, stamp)
		if err != nil {
			a.Fatal(err)
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			a.Fatal(err)
		}
		if at.Before(before) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// delivered waits until the reports made before a moment are in Kafka, or accounted for. None is there twice, and none was made late. Those
// that had to wait since the outage began come in order: what waited in memory, then what waited on disk.
func (a *afflicted) delivered(down, before time.Time, accounted func(missing int, last arrival) bool) {
	a.Helper()
	made := a.made(before)
	var all []arrival
	missing := 0
	a.eventually(2*soon, func() error {
		all = a.arrivals()
		there := map[int64]bool{}
		for _, r := range all {
			there[r.Seq] = true
		}
		missing = 0
		for _, n := range made {
			if !there[n] {
				missing++
			}
		}
		if !accounted(missing, all[len(all)-1]) {
			return fmt.Errorf("%d of %d reports are not in Kafka, and not counted", missing, len(made))
		}
		return nil
	})
	seen := map[int64]bool{}
	runs, waited, behind, last := 0, 0, time.Duration(0), int64(0)
	for _, r := range all {
		if seen[r.Seq] {
			a.Errorf("the report of %s stands in Kafka twice", r.Time)
		}
		seen[r.Seq] = true
		if r.Time.Before(down) || r.at.Sub(r.Time) < late {
			continue
		}
		waited, behind = waited+1, max(behind, r.at.Sub(r.Time))
		if r.Seq < last || runs == 0 {
			runs++
		}
		last = r.Seq
	}
	if runs > 2 {
		a.Errorf("reports that waited came in %d runs", runs)
	}
	if missing == 0 {
		a.timely(all)
	}
	a.Logf("%s: %d reports made, %d not in Kafka and counted, %d waited, for %s at most", a.centre, len(made), missing, waited, behind.Round(100*time.Millisecond))
}

// timely wants no gap between reports, by the times at which they were made.
func (a *afflicted) timely(all []arrival) {
	a.Helper()
	slices.SortFunc(all, func(x, y arrival) int { return x.Time.Compare(y.Time) })
	longest := time.Duration(0)
	for i := range all[1:] {
		longest = max(longest, all[i+1].Time.Sub(all[i].Time))
	}
	a.Logf("%s: never more than %s without a report", a.centre, longest.Round(10*time.Millisecond))
	if longest > late {
		a.Errorf("%s without a report, which is made every second", longest)
	}
}

func all(missing int, _ arrival) bool { return missing == 0 }

// TestSickDisk takes Kafka from agents whose disks are slow, hang or fail, and gives it back: no disk holds up an agent's tick or what is new,
// and what was made meanwhile is in Kafka afterwards, or counted.
func TestSickDisk(t *testing.T) {
	if !slowdisk.May(t) {
		return
	}
	cluster := kafka.Run(t, kafka.Options{})
	slow := afflict(t, cluster, "slow-disk", "")
	hangs := afflict(t, cluster, "hung-disk", "")
	small := afflict(t, cluster, "hung-disk-small-queue", "queue: {records: 10}\n")
	fails := afflict(t, cluster, "failing-disk", "")
	stopped := afflict(t, cluster, "stopped-on-a-hung-disk", "")

	if err := cluster.Kill(0); err != nil {
		t.Fatal(err)
	}
	down := time.Now()
	slow.set(slowdisk.Settings{Write: 2 * time.Second, Sync: 3 * time.Second})
	fails.set(slowdisk.Settings{FailsWrite: true, FailsRead: true})
	stopped.set(slowdisk.Settings{FailsSync: true})
	stopped.logged("agent", "spool on disk does not take", "sync the spool", "input/output error")
	// These first have something on disk.
	for _, a := range []*afflicted{hangs, small, stopped} {
		a.eventually(soon, func() error { return a.spooled() })
		a.set(slowdisk.Settings{Hangs: true})
	}
	hung := time.Now()
	// A fatal error of a card is something to remember, on a disk that does not take it.
	for _, a := range []*afflicted{slow, hangs, fails} {
		a.write("cards", cards(map[int]string{0: fatal}))
	}
	fails.logged("agent", "spool on disk does not take", "input/output error")
	fails.logged("agent", "could not remember the devices", "input/output error")
	for _, a := range []*afflicted{hangs, small} {
		a.logged("agent", "spool on disk does not take", "it has not answered")
		a.logged("agent", "could not use the state directory", "its disk has not answered")
	}
	if err := stopped.agent.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	took := stopped.eventually(soon, func() error { return stopped.said("agent stopped") })
	t.Logf("an agent on a disk that hangs said that it had stopped after %s; its process is there still: %v", took.Round(time.Millisecond), stopped.agent.Running())
	if took > late {
		t.Errorf("it took %s to stop", took)
	}

	fails.set(slowdisk.Settings{})
	fails.logged("agent", "could remember the devices again")
	fails.eventually(soon, func() error { return fails.spooled() })
	fails.set(slowdisk.Settings{FailsRead: true})
	// The small queue is full, whatever the pace of this test.
	time.Sleep(time.Until(down.Add(18 * time.Second)))
	if err := cluster.Restart(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	for _, a := range []*afflicted{slow, hangs, small, fails} {
		a.eventually(soon, a.led)
		live := a.eventually(soon, func() error {
			if all := a.arrivals(); len(all) == 0 || !all[len(all)-1].Time.After(back) {
				return fmt.Errorf("no report made after Kafka came back")
			}
			return nil
		})
		t.Logf("%s: a new report was in Kafka %s after Kafka was back", a.centre, live.Round(100*time.Millisecond))
	}
	time.Sleep(time.Until(hung.Add(30 * time.Second)))
	for _, a := range []*afflicted{hangs, small, fails, stopped} {
		a.set(slowdisk.Settings{})
	}
	well := time.Now()
	t.Logf("disks hung for %s, the longest", well.Sub(hung).Round(time.Second))
	slow.delivered(down, back, all)
	hangs.delivered(down, well, all)
	hangs.logged("agent", "could use the state directory again")
	fails.delivered(down, well, all)
	small.delivered(down, well, func(missing int, last arrival) bool { return missing > 0 && missing == int(last.Dropped.Value) })

	select {
	case <-stopped.agent.Done():
	case <-time.After(soon):
		t.Fatal("the agent that was told to stop is there still")
	}
	stopped.startAgent()
	lost := -1
	for line := range strings.Lines(stopped.log("agent")) {
		if _, n, found := strings.Cut(line, `what waited in memory is gone" records=`); found {
			lost, _ = strconv.Atoi(strings.TrimSpace(n))
		}
	}
	// The call to the disk that was under way was carried out after all, and may have been a record's.
	stopped.delivered(down, well, func(missing int, _ arrival) bool { return missing == lost || missing == lost-1 })
}

// led wants the partitions of the reports to have leaders.
func (a *afflicted) led() error {
	for i := range 2 {
		leader, err := kafkago.DialLeader(a.Context(), "tcp", a.kafka.Addrs()[0], telemetry.TelemetryTopic(a.centre), i)
		if err != nil {
			return err
		}
		_, err = leader.ReadLastOffset()
		if err := errors.Join(err, leader.Close()); err != nil {
			return err
		}
	}
	return nil
}

// spooled wants something of the outage on disk.
func (a *afflicted) spooled() error {
	names, err := filepath.Glob(filepath.Join(filepath.Dir(a.disk.Dir), "below", "spool", "*.seg"))
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("%s: nothing is on disk", a.centre)
	}
	return err
}

// said wants words in the agent's log.
func (a *afflicted) said(words string) error {
	if !strings.Contains(a.log("agent"), words) {
		return fmt.Errorf("the agent's log does not say %q", words)
	}
	return nil
}
