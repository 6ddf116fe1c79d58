package telemetry

// The measurements of schema version 1.
const (
	measurementPrefix = "exameter_"

	inventoryHost   = measurementPrefix + "inventory_host"
	inventoryCPU    = measurementPrefix + "inventory_cpu"
	inventoryDevice = measurementPrefix + "inventory_device"

	reportHost   = measurementPrefix + "host"
	reportCPU    = measurementPrefix + "cpu"
	reportMemory = measurementPrefix + "memory"
	reportPower  = measurementPrefix + "power"
	reportDevice = measurementPrefix + "device"
	reportSource = measurementPrefix + "source"
)

// measurementOf returns the measurement that b names, as a constant, or nothing if the schema has none such.
func measurementOf(b []byte) string {
	for _, m := range [...]string{
		reportDevice, reportHost, reportCPU, reportMemory, reportPower, reportSource,
		inventoryDevice, inventoryHost, inventoryCPU,
	} {
		if string(b) == m {
			return m
		}
	}
	return ""
}

// part is what one line of a record says. Its fields are listed once, in canonical order, for the encoder that writes
// them and the decoder that reads them.
type part interface {
	fields(l *line)
}

// fields lists the header's fields, which open the host line of every record.
func (h *Header) fields(l *line) {
	l.version()
	l.name("boot", &h.Boot)
	l.integer("seq", &h.Seq, 1)
	l.integer("lines", &l.lines, 1)
}

// fields lists the host line of an inventory.
func (inv *Inventory) fields(l *line) {
	inv.Header.fields(l)
	h := &inv.HostInfo
	l.name("name", &h.Name)
	l.name("agent", &h.Agent)
	l.name("os", &h.OS)
	l.name("kernel", &h.Kernel)
	l.name("arch", &h.Arch)
	l.name("product", &h.Product)
	l.flag("virtual", &h.Virtual)
	quantity(l, "memory_bytes", &h.Memory)
	quantity(l, "report_interval_ms", &h.ReportEvery)
}

func (c *CPUInfo) fields(l *line) {
	l.name("vendor", &c.Vendor)
	l.name("name", &c.Name)
	l.count("family", &c.Family)
	l.count("model", &c.Model)
	l.count("stepping", &c.Stepping)
	l.name("part", &c.Part)
	l.atMost("sockets", &c.Sockets, MaxCores)
	l.atMost("cores", &c.Cores, MaxCores)
	l.atMost("threads", &c.Threads, MaxCores)
	l.text("flags", &c.Flags)
	quantity(l, "base_mhz", &c.BaseClock)
	quantity(l, "max_mhz", &c.MaxClock)
	l.count("sve_bytes", &c.VectorBytes)
}

func (d *DeviceInfo) fields(l *line) {
	l.count("index", &d.Index)
	l.name("vendor", &d.Vendor)
	l.name("name", &d.Name)
	l.name("serial", &d.Serial)
	l.name("pci", &d.PCI)
	quantity(l, "memory_bytes", &d.Memory)
	l.name("driver", &d.Driver)
	l.name("firmware", &d.Firmware)
	l.atMost("slices", &d.Slices, MaxSlices)
	l.name("source", &d.Source)
}

// fields lists the host line of a report.
func (r *Report) fields(l *line) {
	r.Header.fields(l)
	h := &r.HostStatus
	quantity(l, "interval_ms", &h.Interval)
	quantity(l, "uptime_s", &h.Uptime)
	l.count("load1_milli", &h.LoadMilli)
	l.count("queued", &h.Queued)
	l.count("dropped", &h.Dropped)
	quantity(l, "clock_error_ms", &h.ClockError)
}

func (c *CPUStatus) fields(l *line) {
	l.state("state", &c.State)
	l.text("reason", &c.Reason)
	l.atMost("cores", &c.Cores, MaxCores)
	l.atMost("cores_busy", &c.CoresBusy, MaxCores)
	quantity(l, "utilization_mean_permille", &c.UtilizationMean)
	quantity(l, "utilization_max_permille", &c.UtilizationMax)
}

func (m *MemoryStatus) fields(l *line) {
	quantity(l, "total_bytes", &m.Total)
	quantity(l, "available_bytes", &m.Available)
}

func (p *PowerStatus) fields(l *line) {
	l.name("method", &p.Method)
	quantity(l, "mean_mw", &p.Mean)
	quantity(l, "max_mw", &p.Max)
	quantity(l, "energy_mj", &p.Energy)
}

func (d *DeviceStatus) fields(l *line) {
	l.state("state", &d.State)
	l.text("reason", &d.Reason)
	l.atMost("slices", &d.Slices, MaxSlices)
	l.atMost("slices_busy", &d.SlicesBusy, MaxSlices)
	quantity(l, "utilization_mean_permille", &d.UtilizationMean)
	quantity(l, "utilization_max_permille", &d.UtilizationMax)
	quantity(l, "sm_activity_permille", &d.SMActivity)
	quantity(l, "tensor_activity_permille", &d.TensorActivity)
	quantity(l, "memory_utilization_mean_permille", &d.MemoryUtilization)
	quantity(l, "memory_used_bytes", &d.MemoryUsed)
	quantity(l, "power_mean_mw", &d.PowerMean)
	quantity(l, "power_max_mw", &d.PowerMax)
	quantity(l, "energy_mj", &d.Energy)
	quantity(l, "temperature_c", &d.Temperature)
	quantity(l, "sm_clock_mhz", &d.SMClock)
	quantity(l, "memory_clock_mhz", &d.MemoryClock)
	l.count("throttle_reasons", &d.Throttle)
	l.count("ecc_corrected", &d.ECCCorrected)
	l.count("ecc_uncorrected", &d.ECCUncorrected)
	l.flag("remap_pending", &d.RemapPending)
	l.flag("remap_failed", &d.RemapFailed)
	l.count("xid", &d.XID)
	l.count("xid_count", &d.XIDCount)
	l.count("processes", &d.Processes)
}

func (s *SourceStatus) fields(l *line) {
	l.truth("ok", &s.OK)
	l.text("error", &s.Error)
	quantity(l, "took_ms", &s.Took)
	l.count("missed", &s.Missed)
}
