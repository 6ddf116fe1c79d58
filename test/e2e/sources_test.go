package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/exameter/exameter/collector/capacity"
)

// dcgm is what dcgm-exporter serves of the simulated driver's eight cards; those at work are busy.
func dcgm(busy ...int) string {
	var s strings.Builder
	for i := range 8 {
		used := 0
		for _, b := range busy {
			if b == i {
				used = 81920
			}
		}
		labels := fmt.Sprintf("{gpu=\"%[1]d\",UUID=\"GPU-5eed0000-0000-4000-8000-%012[1]d\",device=\"nvidia%[1]d\",modelName=\"NVIDIA H200\"}", i)
		fmt.Fprintf(&s, "DCGM_FI_DEV_GPU_UTIL%s %d\nDCGM_FI_DEV_FB_USED%s %d\n", labels, min(used, 90), labels, used)
	}
	return s.String()
}

// TestOneCardOfTwoSources has an exporter tell of the cards that the agent reads through the driver's library: each counts
// once, as the library says, and as the exporter says once the library is gone. Nothing is renamed on the way.
func TestOneCardOfTwoSources(t *testing.T) {
	w := newWorld(t, shared, "two-sources", brisk)
	s := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = io.WriteString(out, dcgm(0, 1))
	}))
	t.Cleanup(s.Close)
	w.exporters = "{url: " + s.URL + "/metrics, interval: 500ms}"
	w.write("agent.yaml", w.agentConfig("sim"))
	w.write("cards", cards(map[int]string{3: busy, 4: busy, 5: busy}))
	w.startCollector()
	w.startAgent()
	w.wantDevices(soon, capacity.Devices{Rated: 8, Online: 8, Healthy: 8, Busy: 3, Free: 5})

	// The library goes with the driver; after a restart, only the exporter is left.
	w.stop(w.agent)
	w.write("agent.yaml", w.agentConfig("not-there"))
	w.startAgent()
	w.wantDevices(soon, capacity.Devices{Rated: 8, Online: 8, Healthy: 8, Busy: 2, Free: 6})

	w.stop(w.agent)
	w.write("agent.yaml", w.agentConfig("sim"))
	w.startAgent()
	w.wantDevices(soon, capacity.Devices{Rated: 8, Online: 8, Healthy: 8, Busy: 3, Free: 5})

	// And the exporter vanishes: nobody notices but its own health.
	s.CloseClientConnections()
	s.Close()
	w.logged("agent", "source failed", "nobody listens there")
	w.wantDevices(soon, capacity.Devices{Rated: 8, Online: 8, Healthy: 8, Busy: 3, Free: 5})
	w.stop(w.agent)
	w.stop(w.collector)
}
