package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/client"
)

// faultyHosts is a collector that lists hosts on two pages.
func faultyHosts(t *testing.T, missing []client.Missing, pages ...[]client.Host) (url string, asked *[]string) {
	t.Helper()
	asked = &[]string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.String())
		at := len(*asked) - 1
		list := client.HostList{Head: client.Head{Revision: 41, AsOf: time.Now()}, Hosts: pages[at], Missing: missing}
		if at+1 < len(pages) {
			list.Next = fmt.Sprint("page", at+1)
		}
		_ = json.NewEncoder(w).Encode(list)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func faultyHost(name string, reasons ...string) client.Host {
	h := client.Host{Centre: "guian", Cluster: "train-1", Host: "id-" + name, Name: name, Online: true}
	for _, r := range reasons {
		state := "faulty"
		if r == "" {
			state = "free"
		}
		h.Devices = append(h.Devices, client.Device{State: state, Reason: r})
	}
	return h
}

// TestExportSlurm drains what is faulty, and nothing else: what hosts call themselves never becomes another command.
func TestExportSlurm(t *testing.T) {
	hostile := []string{"gpu 3", "gpu-3\nupdate NodeName=ALL State=DOWN", `gpu"3`, "ALL;", "", "-gpu", "gpu-[1-9]", "gpu=3", "..", strings.Repeat("g", 65)}
	second := []client.Host{faultyHost("gpu-2.example.org", "xid", "xid", "ecc-uncorrected", ""), faultyHost("gpu-0", "", "")}
	for _, name := range hostile {
		second = append(second, faultyHost(name, "lost"))
	}
	uncounted := faultyHost("gpu-9", "lost")
	uncounted.NotCounted = "uninventoried"
	pages := [][]client.Host{{faultyHost("gpu-7", "xid\" State=DOWN"), faultyHost("gpu-1", "lost"), uncounted}, second}
	url, asked := faultyHosts(t, nil, pages...)
	out, said, status := exameter(t, "export", "slurm", "--collector", url, "--cluster", "train-1")
	want := `update NodeName=gpu-1 State=DRAIN Reason="exameter: 1 faulty (lost)"
update NodeName=gpu-2 State=DRAIN Reason="exameter: 3 faulty (ecc-uncorrected, xid)"
update NodeName=gpu-7 State=DRAIN Reason="exameter: 1 faulty (other)"
`
	if status != 0 || out != want || strings.Count(said, " is left out: ") != len(hostile) || strings.Count(said, "\n") != len(hostile) {
		t.Errorf("status %d, said %s\n%s\nwant\n%s", status, said, out, want)
	}
	for i, q := range *asked {
		if !strings.Contains(q, "state=faulty") || !strings.Contains(q, "online=true") || !strings.Contains(q, "cluster=train-1") || strings.Contains(q, "cursor=page1") != (i == 1) {
			t.Errorf("asked %s", q)
		}
	}

	url, _ = faultyHosts(t, nil, pages...)
	if out, _, status := exameter(t, "export", "slurm", "--collector", url, "--faulty", "2"); status != 0 || strings.Count(out, "\n") != 1 || !strings.Contains(out, "gpu-2") {
		t.Errorf("two or more: status %d, %s", status, out)
	}
	url, _ = faultyHosts(t, []client.Missing{{Centre: "guian", Part: 3, Owner: "two", Why: "its owner does not answer"}}, pages[0])
	if out, said, status := exameter(t, "export", "slurm", "--collector", url); status != 1 || strings.Count(out, "\n") != 2 || !strings.Contains(said, "not all hosts are known: guian/3") {
		t.Errorf("a part is missing: status %d, %s%s", status, out, said)
	}
	other := faultyHost("gpu-1.elsewhere", "xid")
	other.Centre = "guiyang"
	url, _ = faultyHosts(t, nil, []client.Host{faultyHost("gpu-1", "lost"), faultyHost("gpu-1", "lost")}, []client.Host{other})
	if out, said, status := exameter(t, "export", "slurm", "--collector", url); status != 1 || out != "" || !strings.Contains(said, "of centre guiyang are both called gpu-1") {
		t.Errorf("two of one name: status %d, %s%s", status, out, said)
	}
	for _, args := range []string{"--faulty 0", "--kind cpu"} {
		if _, _, status := exameter(t, append([]string{"export", "slurm"}, strings.Fields(args)...)...); status != 2 {
			t.Errorf("%s: status %d", args, status)
		}
	}
}
