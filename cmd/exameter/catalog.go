package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/telemetry"
)

// catalogFlags are the flags of exameter catalog.
type catalogFlags struct {
	vendor, memory string
	overrides      []string
	cpu            bool

	asking
	unpriced        bool
	kind, precision string
}

func catalogCommand() *cobra.Command {
	f := &catalogFlags{}
	f.output = oneOf{"table", []string{"table", "json", "csv"}}
	cmd := &cobra.Command{
		Use:   "catalog [NAME]",
		Short: "Look up what a model can do, by the name that its vendor's tool prints",
		Long: `Look up an accelerator by the name that its vendor's tool prints, or by its id: peaks by precision (dense, no sparsity),
memory, thermal design power, and how well founded that is. Without NAME, list all models.

With --cpu, list the microarchitectures of processors, or those with NAME in their id or name. Which one a host has is told
by more than its name: exameter-agent check says it on the host.

With --unpriced, ask a collector which models have no peak at the moment: the vendor, the name that its tool prints (or the id,
where the catalogue knows the model and not its peak), how many devices, in which centres. "csv" prints the accelerators
among them as rows for an override file, to be filled in.

Exit status 1 says that nothing, or more than one model, answers to NAME.`,
		Example: `  exameter catalog "NVIDIA H200"
  exameter catalog 910B2 --vendor huawei
  exameter catalog --override prices.csv MLU590-M9
  exameter catalog --cpu zen
  exameter catalog --unpriced
  exameter catalog --unpriced -o csv > prices.csv`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, strings.Join(args, "")) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.vendor, "vendor", "", "only models of this vendor (nvidia, huawei, hygon, …)")
	fl.StringVar(&f.memory, "memory", "", "the device's memory (64GiB), where a name means several models")
	fl.StringArrayVar(&f.overrides, "override", nil, "CSV file of prices laid over the catalogue; may be given more than once")
	fl.BoolVar(&f.cpu, "cpu", false, "list processors instead")
	fl.VarP(&f.output, "output", "o", "how to print; csv with --unpriced alone")
	fl.BoolVar(&f.unpriced, "unpriced", false, "ask a collector which models have no peak")
	f.flags(cmd)
	fl.StringVar(&f.kind, "kind", capacity.KindAll, "with --unpriced: accelerator, cpu or all")
	fl.StringVar(&f.precision, "precision", string(capacity.ByClass), "with --unpriced: class, or the precision to have a peak at")
	cmd.AddCommand(catalogVerifyCommand())
	return cmd
}

func (f *catalogFlags) run(cmd *cobra.Command, name string) error {
	var c *client.Client
	if f.unpriced {
		var err error
		if c, err = f.unpricedClient(cmd, name); err != nil {
			return err
		}
	} else if f.output.value == "csv" {
		return misused(cmd, "-o csv: only --unpriced prints rows of an override file")
	}
	var memory telemetry.Opt[telemetry.Bytes]
	if f.memory != "" {
		size, err := parseSize(f.memory)
		if err != nil {
			return misused(cmd, "--memory: %w", err)
		}
		memory = telemetry.Known(size)
	}
	cat, err := catalog.Load(f.overrides...)
	if err != nil {
		return err
	}
	for _, w := range cat.Warnings() {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
	}
	out := cmd.OutOrStdout()
	switch {
	case f.unpriced:
		return f.listUnpriced(cmd.Context(), out, c, cat)
	case f.cpu:
		return f.listCPUs(out, cat, name)
	case name == "":
		return f.list(out, cat)
	default:
		return f.show(out, cat, name, memory)
	}
}

// parseSize reads a size such as 64GiB.
func parseSize(text string) (telemetry.Bytes, error) {
	var size struct {
		Memory config.Size `yaml:"memory"`
	}
	if err := config.Read(strings.NewReader("memory: "+strconv.Quote(text)), "--memory", &size); err != nil {
		return 0, fmt.Errorf("%q is not a size such as 64GiB", text)
	}
	return telemetry.Bytes(size.Memory), nil
}

// unpricedClient checks the flags of --unpriced and returns the client of the collectors to ask.
func (f *catalogFlags) unpricedClient(cmd *cobra.Command, name string) (*client.Client, error) {
	if name != "" || f.cpu {
		return nil, misused(cmd, "--unpriced lists what a collector has: it goes with neither NAME nor --cpu")
	}
	if _, err := capacity.ParsePrecision(f.precision); err != nil {
		return nil, misused(cmd, "--precision: %w", err)
	}
	if err := validKind(f.kind); err != nil {
		return nil, misused(cmd, "--kind: %w", err)
	}
	return f.client(cmd)
}

// show prints the one model of a name, or why there is not one.
func (f *catalogFlags) show(out io.Writer, cat *catalog.Catalog, name string, memory telemetry.Opt[telemetry.Bytes]) error {
	m, ok := cat.LookupMemory(f.vendor, name, memory)
	if !ok {
		// An id is no name that a tool prints, and people use it all the same.
		if byID, found := cat.Model(strings.ToLower(name)); found && (f.vendor == "" || byID.Vendor == strings.ToLower(f.vendor)) {
			m, ok = byID, true
		}
	}
	if !ok {
		return f.unknown(out, cat, name)
	}
	if f.output.value == "json" {
		return writeJSON(out, modelJSON(m, cat.Version()))
	}
	return writeModel(out, m, cat.Version())
}

// unknown says that nothing answers to a name, what that means, and what to do.
func (f *catalogFlags) unknown(out io.Writer, cat *catalog.Catalog, name string) error {
	var like []*catalog.Model
	for _, m := range cat.Search(name) {
		if f.vendor == "" || m.Vendor == strings.ToLower(f.vendor) {
			like = append(like, m)
		}
	}
	if f.output.value == "json" {
		answer := struct {
			Name      string   `json:"name"`
			Catalogue string   `json:"catalogue"`
			Unpriced  bool     `json:"unpriced"`
			Similar   []string `json:"similar"`
		}{name, cat.Version(), true, []string{}}
		for _, m := range like {
			answer.Similar = append(answer.Similar, m.ID)
		}
		if err := writeJSON(out, answer); err != nil {
			return err
		}
		return errSaid
	}
	var b strings.Builder
	if len(like) > 0 {
		fmt.Fprintf(&b, "%q is not the name of one model; these are like it:\n", name)
		t := &table{head: []string{"ID", "VENDOR", "NAMES"}, left: 3}
		for _, m := range like {
			t.add(m.ID, m.Vendor, strings.Join(m.Patterns, ", "))
		}
		if err := t.write(&b, false); err != nil {
			return err
		}
		b.WriteString("Name the vendor (--vendor) or the memory (--memory) to choose; collectors know both.\n")
	} else {
		fmt.Fprintf(&b, "%q is unpriced: catalogue %s does not know it.\n", name, cat.Version())
		b.WriteString("Devices of that name are counted and shown, and are worth no Eflops until someone prices them.\n" +
			"To price it, write a CSV file as docs/catalogue.md describes, check it with\n" +
			"  exameter catalog verify FILE\nand name it in the collector's configuration as catalogue.\n")
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	return errSaid
}

func writeModel(out io.Writer, m *catalog.Model, version string) error {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s%s\n", label, fmt.Sprintf(format, args...))
	}
	line("model", "%s (%s)", m.ID, m.Name)
	line("vendor", "%s%s", m.Vendor, known(m.Domestic, func(d bool) string {
		if d {
			return ", domestic"
		}
		return ", not domestic"
	}))
	if m.Architecture != "" {
		line("architecture", "%s", m.Architecture)
	}
	if len(m.Patterns) > 0 {
		line("printed as", "%s", strings.Join(m.Patterns, ", "))
	}
	unit := "Tflop/s"
	for _, p := range catalog.Precisions() {
		if p == catalog.INT8 {
			unit = "Top/s"
		}
		if v, ok := m.Peaks.Get(p); ok {
			line(string(p), "%s %s%s", tflops(v), unit, fp64Units(m, p))
		}
	}
	if _, ok := m.Peaks.Get(catalog.FP16); !ok {
		line("fp16", "unpriced: no dense FP16 peak is published, so these devices are worth no Eflops by class")
	}
	if v, ok := m.Memory.Get(); ok {
		line("memory", "%d GiB%s", v>>30, known(m.BandwidthGBs, func(g float64) string { return fmt.Sprintf(", %g GB/s", g) }))
	}
	if v, ok := m.TDP.Get(); ok {
		line("tdp", "%g W", float64(v)/1000)
	}
	if m.DevicesPerBoard > 1 {
		line("per board", "%d devices; figures are for one", m.DevicesPerBoard)
	}
	line("confidence", "%s", m.Confidence)
	if m.Source != "" {
		line("source", "%s", m.Source)
	}
	if m.Notes != "" {
		line("notes", "%s", m.Notes)
	}
	line("catalogue", "%s", version)
	_, err := io.WriteString(out, b.String())
	return err
}

// fp64Units says what FP64 is of, where vector and matrix units differ: conventions count the one or the other.
func fp64Units(m *catalog.Model, p catalog.Precision) string {
	vector, ok := m.FP64Vector.Get()
	matrix, also := m.FP64Tensor.Get()
	if p != catalog.FP64 || !ok || !also || vector == matrix {
		return ""
	}
	return fmt.Sprintf(" (matrix units %s, vector units %s)", tflops(matrix), tflops(vector))
}

// known prints a value that may be unknown, which prints nothing.
func known[T any](v telemetry.Opt[T], print func(T) string) string {
	if x, ok := v.Get(); ok {
		return print(x)
	}
	return ""
}

// list prints all models, or all of one vendor.
func (f *catalogFlags) list(out io.Writer, cat *catalog.Catalog) error {
	var models []*catalog.Model
	for _, m := range cat.Models() {
		if f.vendor == "" || m.Vendor == strings.ToLower(f.vendor) {
			models = append(models, m)
		}
	}
	if f.output.value == "json" {
		all := make([]any, 0, len(models))
		for _, m := range models {
			all = append(all, modelJSON(m, cat.Version()))
		}
		return writeJSON(out, all)
	}
	t := &table{head: []string{"ID", "VENDOR", "FP64", "FP32", "FP16", "FP8", "INT8", "MEMORY", "TDP", "CONFIDENCE"}, left: 2}
	for _, m := range models {
		row := []string{m.ID, m.Vendor}
		for _, p := range []catalog.Precision{catalog.FP64, catalog.FP32, catalog.FP16, catalog.FP8, catalog.INT8} {
			row = append(row, peak(m.Peaks, p))
		}
		row = append(row, cmp.Or(known(m.Memory, func(v telemetry.Bytes) string { return fmt.Sprintf("%d GiB", v>>30) }), "-"),
			cmp.Or(known(m.TDP, func(v telemetry.Milliwatts) string { return fmt.Sprintf("%g W", float64(v)/1000) }), "-"), string(m.Confidence))
		t.add(row...)
	}
	if err := t.write(out, coloured(out)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%s, dense peaks in Tflop/s (INT8: Top/s), - unknown; catalogue %s\n", plural(int64(len(models)), "model"), cat.Version())
	return err
}

func peak(k catalog.Peaks, p catalog.Precision) string {
	if v, ok := k.Get(p); ok {
		return tflops(v)
	}
	return "-"
}

// modelJSON is a model for programs. Peaks are in Mflop/s, and unknown ones are left out.
func modelJSON(m *catalog.Model, version string) any {
	peaks := map[catalog.Precision]int64{}
	for _, p := range catalog.Precisions() {
		if v, ok := m.Peaks.Get(p); ok {
			peaks[p] = v
		}
	}
	return struct {
		ID              string                      `json:"id"`
		Vendor          string                      `json:"vendor"`
		Name            string                      `json:"name"`
		Architecture    string                      `json:"architecture,omitempty"`
		Patterns        []string                    `json:"patterns"`
		Peaks           map[catalog.Precision]int64 `json:"peak_mflops"`
		FP64Vector      *int64                      `json:"fp64_vector_mflops"`
		FP64Tensor      *int64                      `json:"fp64_tensor_mflops"`
		MemoryBytes     *telemetry.Bytes            `json:"memory_bytes"`
		BandwidthGBs    *float64                    `json:"bandwidth_gb_s"`
		TDPMilliwatts   *telemetry.Milliwatts       `json:"tdp_mw"`
		DevicesPerBoard int                         `json:"devices_per_board"`
		Domestic        *bool                       `json:"domestic"`
		Confidence      catalog.Confidence          `json:"confidence"`
		Source          string                      `json:"source"`
		Notes           string                      `json:"notes"`
		Catalogue       string                      `json:"catalogue"`
	}{
		m.ID, m.Vendor, m.Name, m.Architecture, append([]string{}, m.Patterns...), peaks, pointer(m.FP64Vector), pointer(m.FP64Tensor), pointer(m.Memory), pointer(m.BandwidthGBs), pointer(m.TDP),
		m.DevicesPerBoard, pointer(m.Domestic), m.Confidence, m.Source, m.Notes, version,
	}
}

// pointer is null where nothing is known.
func pointer[T any](v telemetry.Opt[T]) *T {
	if x, ok := v.Get(); ok {
		return &x
	}
	return nil
}

func writeJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
