// Package metrics exposes the collector to Prometheus. Every scrape reads the last snapshot; nothing is kept twice.
package metrics

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/feed/kafkafeed"
	"github.com/exameter/exameter/collector/feed/linefeed"
	"github.com/exameter/exameter/collector/feed/streamfeed"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/quarantine"
	"github.com/exameter/exameter/collector/registry"
)

// Source is where a scrape reads from. Its functions are called from any goroutine.
type Source struct {
	Snapshot   func() *capacity.Snapshot // nil before the first fold
	Registry   func() *registry.Registry
	Fleet      func() fleet.Stats
	Centres    func() map[string]fleet.Stats // the same by centre
	Consume    func() consume.Stats
	Quarantine func() quarantine.Stats
	Parts      func() Parts
	Ready      func() bool
	Stream     func() streamfeed.Stats
	Feed       func() kafkafeed.Stats
	Lines      func() linefeed.Stats
}

// Parts say how a collector takes part in the group of collectors.
type Parts struct {
	Owned         int
	Generation    int64
	Rebalances    int64
	GroupFailures int64
	Published     int64
	Unpublished   int64
	// Claims are the devices that all parts announce, and Shared those of them that several parts do.
	Claims, Shared int
}

// Metrics are the collector's own instruments, and a registry with all there is.
type Metrics struct {
	Registry *prometheus.Registry

	// Records counts records by kind of topic (inventory, telemetry) and result: the fleet's outcomes, "retired" and "rejected".
	Records *prometheus.CounterVec
	// Rejected counts records that went to quarantine, by reason.
	Rejected *prometheus.CounterVec
	// ForeignCentre counts records that name another centre than their topic.
	ForeignCentre prometheus.Counter
	// FutureDated counts records whose own time lies more than an hour after their record time.
	FutureDated prometheus.Counter
	// UnknownFields counts fields and lines that the decoder skipped: additions to the schema by newer agents.
	UnknownFields prometheus.Counter
	// Dropped counts records that agents said they dropped, and XIDs the XID errors that they said they saw, by centre.
	Dropped, XIDs *prometheus.CounterVec
	// Partials counts records of the partials topic by result: folded, taken, claimed, fenced, removed, refused.
	Partials *prometheus.CounterVec
	// Checks counts recounts of the fleet by result: equal, different.
	Checks *prometheus.CounterVec
	// Folds observes how long folds take, in seconds.
	Folds prometheus.Histogram
	// Requests counts HTTP requests by path and code.
	Requests *prometheus.CounterVec
	// Peers counts questions to other collectors by result: answered, silent, another, crowded, garbled, refused.
	Peers *prometheus.CounterVec
	// Refused counts HTTP requests that were not let through, by reason.
	Refused *prometheus.CounterVec
	// Reloads counts reloads of the registry and the catalogue by result: ok, failed.
	Reloads *prometheus.CounterVec
}

// New makes the instruments, and a registry of them and of what is read from src.
func New(version string, src Source) *Metrics {
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		Records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exameter_records_total", Help: "Records read from Kafka, by kind of topic and result.",
		}, []string{"kind", "result"}),
		Rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exameter_records_rejected_total", Help: "Records that could not be used and went to quarantine, by reason.",
		}, []string{"reason"}),
		ForeignCentre: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "exameter_records_foreign_centre_total", Help: "Records that name another centre than their topic; the topic's counts.",
		}),
		FutureDated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "exameter_records_future_total", Help: "Records whose own time lies more than an hour after their record time.",
		}),
		UnknownFields: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "exameter_fields_unknown_total", Help: "Fields and lines that were skipped because this collector is too old to know them.",
		}),
		Dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exameter_agent_dropped_records_total", Help: "Records that agents said they dropped, for want of room, for their age or by a disk that lost them, by centre.",
		}, []string{"centre"}),
		XIDs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exameter_agent_xid_errors_total", Help: "XID errors that agents said they saw, by centre.",
		}, []string{"centre"}),
		Partials: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exameter_partials_total", Help: "Records of the partials topic by result (folded, taken, claimed, fenced, removed, refused).",
		}, []string{"result"}),
		Checks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exameter_self_checks_total", Help: "Recounts of a part, by whether they gave the incremental figures. A difference is a defect.",
		}, []string{"result"}),
		Folds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "exameter_fold_seconds", Help: "Time to fold the fleet into a snapshot.",
			Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1},
		}),
		Requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exameter_http_requests_total", Help: "HTTP requests, by path and status code.",
		}, []string{"path", "code"}),
		Peers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exameter_peer_questions_total", Help: "Questions to other collectors for their hosts, by result (answered, silent, another, crowded, garbled, refused).",
		}, []string{"result"}),
		Refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exameter_http_refused_total", Help: "HTTP requests that were not let through, by reason (unauthenticated, forbidden, rate).",
		}, []string{"reason"}),
		Reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exameter_reloads_total", Help: "Reloads of the registry and the catalogue, by result.",
		}, []string{"result"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "exameter_build_info", Help: "Always 1; the label tells the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.Registry.MustRegister(
		m.Records, m.Rejected, m.ForeignCentre, m.FutureDated, m.UnknownFields, m.Dropped, m.XIDs, m.Partials, m.Checks, m.Folds, m.Requests, m.Peers, m.Refused, m.Reloads, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		reader{src},
	)
	for _, result := range []string{"equal", "different"} {
		m.Checks.WithLabelValues(result) // a series that is missing cannot be alerted on
	}
	for _, result := range []string{"answered", "silent", "another", "crowded", "garbled", "refused"} {
		m.Peers.WithLabelValues(result)
	}
	for _, reason := range []string{"unauthenticated", "forbidden", "rate"} {
		m.Refused.WithLabelValues(reason)
	}
	return m
}

// reader turns what the collector knows into metrics at each scrape.
type reader struct{ src Source }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("exameter_"+name, help, labels, nil)
}

var (
	flopsDesc       = desc("capacity_flops", "Peak throughput in flop/s by class and state, each device by its class's precision.", "class", "state")
	devicesDesc     = desc("devices", "Devices by centre, class and state.", "centre", "class", "state")
	unpricedDesc    = desc("devices_unpriced", "Devices whose model has no peak in the catalogue, by class.", "class")
	modelDesc       = desc("model_devices_unpriced", "Devices whose model has no peak in the catalogue, by the name their tool prints.", "vendor", "model", "class")
	utilisationDesc = desc("utilisation_ratio", "Busy-weighted nameplate by class: share of the peak of healthy devices with known activity.", "class")
	powerDesc       = desc("power_watts", "Measured power of online devices, by class.", "class")
	hostsDesc       = desc("hosts", "Hosts that hold devices, by centre and state (rated, online).", "centre", "state")
	coverageDesc    = desc("coverage_ratio", "Online hosts ÷ rated hosts, by centre.", "centre")
	ageDesc         = desc("report_age_seconds", "Age of the last reports of online hosts, by centre and percentile (p50, p99, max).", "centre", "percentile")
	revisionDesc    = desc("revision", "Revision of the figures.")
	asOfDesc        = desc("as_of_timestamp_seconds", "When the figures were folded.")
	readyDesc       = desc("ready", "1 once the first rebuild from Kafka is complete.")

	uninventoriedHosts   = desc("hosts_uninventoried", "Hosts that report and have no inventory; their devices are not counted.")
	uninventoriedDevices = desc("devices_uninventoried", "Devices that are reported and stand in no inventory; they are not counted.")
	contestedDesc        = desc("devices_contested", "Devices that more than one host of a part claims; each counts once.")
	contendersDesc       = desc("hosts_contending", "Hosts that claim a device which hosts of other parts claim too; it counts once.")
	unsettledDesc        = desc("hosts_unsettled", "Hosts with devices that count nowhere yet, because other parts have to be asked first.")

	lagDesc         = desc("partition_lag_records", "Records of a partition that are not read yet, as of the last fetch.", "topic", "partition")
	failingDesc     = desc("partitions_failing", "Partitions and look-ups that fail at the moment.")
	reconnectsDesc  = desc("reconnects_total", "Sessions with a broker that failed and were begun anew.")
	stallsDesc      = desc("stalls_total", "Partition readers that stood still and were begun anew.")
	offsetsLostDesc = desc("offsets_lost_total", "Times that retention had passed the place to go on from.")
	corruptDesc     = desc("corrupt_batches_total", "Record batches that could not be read and were skipped.")
	producerDesc    = desc("topic_producer_time", "1 for a telemetry topic that does not use LogAppendTime.", "topic")

	claimsDesc     = desc("claims", "Devices, processor sets included, that all parts claim: by one part, or by several.", "parts")
	ownedDesc      = desc("parts_owned", "Parts that this collector owns.")
	partsDesc      = desc("parts", "Parts of all collectors by state: current, or behind for those that nobody publishes at the moment.", "state")
	oldestDesc     = desc("parts_age_seconds", "Age of the oldest part's sums at as_of.")
	generationDesc = desc("group_generation", "Generation of the group of collectors.")
	rebalancesDesc = desc("group_rebalances_total", "Generations that this collector was part of.")
	groupDesc      = desc("group_failures_total", "Times that joining the group failed again and again.")
	publishedDesc  = desc("partials_published_total", "Partials that this collector wrote, by result (written, failed).", "result")

	watchersDesc = desc("stream_watchers", "Watchers of /v1/stream.")
	queriesDesc  = desc("stream_queries", "Different questions that watchers of /v1/stream ask.")
	eventsDesc   = desc("stream_events_total", "Events made for streams, however many watchers took them.")
	slowDesc     = desc("stream_slow_total", "Streams that were closed because their watcher was too slow.")

	feedDesc   = desc("feed_records_total", "Records for the capacity topic, by result (written, failed).", "result")
	writesDesc = desc("feed_writer", "1 while this collector is the one that writes the capacity topic.")

	linesDesc = desc("write_figures_total", "Figures for the database that write.url names, by result (written, failed, dropped).", "result")

	quarantineDesc = desc("quarantine_records_total", "Records for the quarantine topic, by result (written, suppressed, failed).", "result")
)

// Describe sends every descriptor.
func (r reader) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range slices.Concat(centreDescs, agentDescs, poolDescs, []*prometheus.Desc{
		flopsDesc, devicesDesc, unpricedDesc, modelDesc, utilisationDesc, powerDesc, hostsDesc, coverageDesc, ageDesc, revisionDesc, asOfDesc, readyDesc,
		uninventoriedHosts, uninventoriedDevices, contestedDesc, contendersDesc, unsettledDesc,
		lagDesc, failingDesc, reconnectsDesc, stallsDesc, offsetsLostDesc, corruptDesc, producerDesc, quarantineDesc,
		claimsDesc, ownedDesc, partsDesc, oldestDesc, generationDesc, rebalancesDesc, groupDesc, publishedDesc,
		watchersDesc, queriesDesc, eventsDesc, slowDesc, feedDesc, writesDesc, linesDesc,
	}) {
		ch <- d
	}
}

// Collect sends every metric.
func (r reader) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(readyDesc, bit(r.src.Ready()))
	if s := r.src.Snapshot(); s != nil {
		collectCapacity(s, gauge)
		collectOrigin(s, gauge)
		collectCentres(s, gauge)
		collectRegistry(s, r.src.Registry(), gauge)
		collectPools(s, gauge)
	}
	p := r.src.Parts()
	gauge(claimsDesc, float64(p.Claims-p.Shared), "one")
	gauge(claimsDesc, float64(p.Shared), "several")
	gauge(ownedDesc, float64(p.Owned))
	gauge(generationDesc, float64(p.Generation))
	counter(rebalancesDesc, p.Rebalances)
	counter(groupDesc, p.GroupFailures)
	counter(publishedDesc, p.Published, "written")
	counter(publishedDesc, p.Unpublished, "failed")
	f := r.src.Fleet()
	gauge(uninventoriedHosts, float64(f.UninventoriedHosts))
	gauge(uninventoriedDevices, float64(f.UninventoriedDevices))
	gauge(contestedDesc, float64(f.ContestedDevices))
	gauge(contendersDesc, float64(f.Contenders))
	gauge(unsettledDesc, float64(f.UnsettledHosts))
	collectAgents(r.src.Centres(), gauge)
	c := r.src.Consume()
	for _, p := range c.Partitions {
		gauge(lagDesc, float64(p.Lag), p.Topic, strconv.Itoa(p.Number))
	}
	for _, t := range c.ProducerTime {
		gauge(producerDesc, 1, t)
	}
	gauge(failingDesc, float64(c.Failing))
	counter(reconnectsDesc, c.Reconnects)
	counter(stallsDesc, c.Stalls)
	counter(offsetsLostDesc, c.OffsetsLost)
	counter(corruptDesc, c.Corrupt)
	st := r.src.Stream()
	gauge(watchersDesc, float64(st.Watchers))
	gauge(queriesDesc, float64(st.Queries))
	counter(eventsDesc, st.Events)
	counter(slowDesc, st.Slow)
	fd := r.src.Feed()
	counter(feedDesc, fd.Records, "written")
	counter(feedDesc, fd.Failed, "failed")
	gauge(writesDesc, bit(fd.Office))
	ln := r.src.Lines()
	counter(linesDesc, ln.Written, "written")
	counter(linesDesc, ln.Failed, "failed")
	counter(linesDesc, ln.Dropped, "dropped")
	q := r.src.Quarantine()
	counter(quarantineDesc, q.Written, "written")
	counter(quarantineDesc, q.Suppressed, "suppressed")
	counter(quarantineDesc, q.Failed, "failed")
}

// collectCapacity sends what the snapshot says: by class in flops, by centre and class in devices.
func collectCapacity(s *capacity.Snapshot, gauge func(*prometheus.Desc, float64, ...string)) {
	gauge(revisionDesc, float64(s.Revision))
	gauge(partsDesc, float64(s.Parts.Current), "current")
	gauge(partsDesc, float64(s.Parts.Behind), "behind")
	gauge(oldestDesc, s.Parts.OldestS)
	gauge(asOfDesc, float64(s.AsOf.UnixMilli())/1000)
	for _, g := range groups(s, capacity.ByClassOf) {
		for _, v := range byState(&g.Eflops) {
			gauge(flopsDesc, flops(v.flops), g.Class, v.state)
		}
		gauge(unpricedDesc, float64(g.Devices.Unpriced), g.Class)
		if g.PowerDevices > 0 {
			gauge(powerDesc, g.PowerW, g.Class)
		}
		if g.Utilisation != nil {
			gauge(utilisationDesc, *g.Utilisation, g.Class)
		}
	}
	collectUnpriced(s, gauge)
	for _, g := range groups(s, capacity.ByCentre, capacity.ByClassOf) {
		for _, v := range devicesByState(&g.Devices) {
			gauge(devicesDesc, float64(v.n), g.Centre, g.Class, v.state)
		}
	}
	for _, g := range groups(s, capacity.ByCentre) {
		gauge(hostsDesc, float64(g.Hosts.Rated), g.Centre, "rated")
		gauge(hostsDesc, float64(g.Hosts.Online), g.Centre, "online")
		if g.Coverage != nil {
			gauge(coverageDesc, *g.Coverage, g.Centre)
		}
		if g.Age != nil {
			gauge(ageDesc, g.Age.P50, g.Centre, "p50")
			gauge(ageDesc, g.Age.P99, g.Centre, "p99")
			gauge(ageDesc, g.Age.Max, g.Centre, "max")
		}
	}
}

// maxUnpriced bounds the series that names of foreign tools can make.
const maxUnpriced = 100

// collectUnpriced sends the models without a peak, those with the most devices first; what is beyond maxUnpriced, and what has no name, is sent
// under no name.
func collectUnpriced(s *capacity.Snapshot, gauge func(*prometheus.Desc, float64, ...string)) {
	list := slices.DeleteFunc(groups(s, capacity.ByVendor, capacity.ByModel, capacity.ByClassOf), func(g capacity.Group) bool { return g.Devices.Unpriced == 0 })
	slices.SortStableFunc(list, func(a, b capacity.Group) int { return cmp.Compare(b.Devices.Unpriced, a.Devices.Unpriced) })
	rest := map[string]int64{}
	for i, g := range list {
		if i >= maxUnpriced || g.Vendor == "" && g.Model == "" {
			rest[g.Class] += g.Devices.Unpriced
			continue
		}
		gauge(modelDesc, float64(g.Devices.Unpriced), g.Vendor, g.Model, g.Class)
	}
	for class, n := range rest {
		gauge(modelDesc, float64(n), "", "", class)
	}
}

// groups answers a query that cannot fail.
func groups(s *capacity.Snapshot, by ...capacity.Dimension) []capacity.Group {
	doc, err := s.Document(capacity.Query{By: by, Kind: capacity.KindAll})
	if err != nil {
		panic(err) // the dimensions above are constants
	}
	return doc.Groups
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
