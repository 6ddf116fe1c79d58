package httpfeed

import (
	"encoding/csv"
	"io"
	"strconv"

	"github.com/exameter/exameter/collector/hosts"
)

// hostColumns and deviceColumns are the columns of the CSV of hosts before those of the head. In the last one stands, in a row of its
// own, why a part's hosts are not listed.
var (
	hostColumns   = []string{"centre", "cluster", "host", "name", "online", "age_s", "free", "host_not_counted", "elsewhere"}
	deviceColumns = []string{
		"device", "kind", "vendor", "device_name", "model", "class", "identifier", "state", "reason", "eflops", "power_w", "activity", "activity_of",
		"cores", "cores_busy", "busy_share", "contested", "not_counted",
	}
)

// writeHostsCSV writes one row a device, one for a host of which no device is listed, and one for a part that is missing. What is not
// known is empty.
func writeHostsCSV(w io.Writer, doc *Hosts) {
	out := csv.NewWriter(w)
	header := append(append([]string{}, hostColumns...), deviceColumns...)
	_ = out.Write(append(append(header, "missing"), headColumns...)) // the writer keeps an error until Flush
	write := func(host, device []string, missing string) {
		row := append(append([]string{}, host...), device...)
		_ = out.Write(append(append(row, missing), headRow(&doc.Head)...))
	}
	none := make([]string, len(deviceColumns))
	for i := range doc.Hosts {
		h := &doc.Hosts[i]
		host := hostRow(h)
		if len(h.Devices) == 0 {
			write(host, none, "")
		}
		for j := range h.Devices {
			write(host, deviceRow(h, &h.Devices[j]), "")
		}
	}
	for i := range doc.Missing {
		m := &doc.Missing[i]
		host := make([]string, len(hostColumns))
		host[0] = m.Centre
		write(host, none, "part "+strconv.Itoa(m.Part)+" of "+m.Owner+": "+m.Why)
	}
	out.Flush()
}

func hostRow(h *hosts.Host) []string {
	return []string{
		h.Centre, h.Cluster, harmless(h.Host), harmless(h.Name), strconv.FormatBool(h.Online), number(h.AgeS), strconv.Itoa(h.Free), h.NotCounted,
		strconv.Itoa(h.Elsewhere),
	}
}

func deviceRow(h *hosts.Host, d *hosts.Device) []string {
	eflops, cores, busy := "", "", ""
	if d.Eflops != nil {
		eflops = d.Eflops.Eflops()
	}
	if d.Cores != 0 {
		cores = strconv.FormatInt(d.Cores, 10)
	}
	if d.CoresBusy != nil {
		busy = strconv.FormatInt(*d.CoresBusy, 10)
	}
	return []string{
		harmless(d.ID), d.Kind, harmless(d.Vendor), harmless(d.Name), harmless(d.Model), d.Class, harmless(identifierOf(h, d)), d.State, harmless(d.Reason),
		eflops, number(d.PowerW), number(d.Activity), d.ActivityOf, cores, busy, number(d.BusyShare), strconv.FormatBool(d.Contested), d.NotCounted,
	}
}

// identifierOf is the identifier of the pool that a device is in.
func identifierOf(h *hosts.Host, d *hosts.Device) string {
	for i := range h.Pools {
		if p := &h.Pools[i]; p.Kind == d.Kind && p.Vendor == d.Vendor && p.Model == d.Model && p.Class == d.Class {
			return p.Identifier
		}
	}
	return ""
}
