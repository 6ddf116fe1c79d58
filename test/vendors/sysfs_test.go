package vendors

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/exameter/exameter/agent/kernelfile/kernelfiletest"
)

// TestExporterBesideDriver has AMD's exporter and AMD's kernel driver tell of the same two cards: they count once, also while the
// exporter is away and the driver speaks for them, and when it is back.
func TestExporterBesideDriver(t *testing.T) {
	w := newWorld(t, "both")
	text, err := os.ReadFile("testdata/amd-device-metrics-exporter.prom")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := os.ReadFile("../../agent/device/drm/testdata/mi300x.txt")
	if err != nil {
		t.Fatal(err)
	}
	// The driver's cards are the exporter's, by their serial numbers.
	machine := strings.NewReplacer("692251001234", "692244000102", "692251001299", "692244000101").Replace(string(tree))
	sys := filepath.Join(kernelfiletest.Tree(t, "mi300x", machine), "sys")
	var away atomic.Bool
	url := serve(t, func(out http.ResponseWriter, _ *http.Request) {
		if away.Load() {
			panic(http.ErrAbortHandler)
		}
		out.Header().Set("Content-Type", "text/plain")
		_, _ = out.Write(text)
	})
	w.start("agent", "exameter-agent", w.agent("host-1", sys, "    - url: "+url+"\n      interval: 200ms\n"))
	// Who speaks is told by the power: 630 W by the exporter, 653 W by the driver.
	two := func(what string, check func(g *figure) error) {
		t.Helper()
		w.eventually(what, func() error {
			a, err := w.ask("?by=vendor,model")
			if err != nil {
				return err
			}
			if len(a.Groups) != 1 {
				return fmt.Errorf("groups %+v", a.Groups)
			}
			g := &a.Groups[0]
			if g.Devices.Rated > 2 {
				t.Fatalf("%s: a card counts twice: %+v", what, g)
			}
			if g.Model != "amd-mi300x" || g.Devices.Rated != 2 || g.Devices.Busy != 1 || g.Devices.Free != 1 {
				return fmt.Errorf("%+v", g)
			}
			return check(g)
		})
	}
	power := func(more bool) func(*figure) error {
		return func(g *figure) error {
			if g.PowerW > 640 != more {
				return fmt.Errorf("%.0f W", g.PowerW)
			}
			return nil
		}
	}
	first := power(false)
	two("both speak", first)
	away.Store(true)
	two("the exporter is away", power(true))
	away.Store(false)
	two("the exporter is back", first)
}
