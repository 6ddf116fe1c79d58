// Package console looks at the collector's page with a real browser: Debian's Chromium, driven by Playwright. The collector is the real
// program, and what it tells is a simulated province. What is looked for stands in console.test.mjs.
package console

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	_ "github.com/exameter/exameter/collector" // what the program is made of, so that go test runs anew when it has changed
	"github.com/exameter/exameter/test/process"
)

func TestConsole(t *testing.T) {
	chromium, err := exec.LookPath(cmp.Or(os.Getenv("CHROMIUM"), "chromium"))
	if err != nil {
		t.Fatal("no Chromium: make deps-test installs it, or CHROMIUM says where one is:", err)
	}
	if _, err := os.Stat("node_modules/playwright-core"); err != nil {
		t.Fatal("make browser fetches what drives the browser:", err)
	}
	for _, script := range []string{"console.test.mjs", "browser.mjs"} {
		if _, err := os.ReadFile(script); err != nil { // go test notes that its result rests on them
			t.Fatal(err)
		}
	}
	w := newWorld(t)
	orders := w.orders()
	defer orders.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := process.Command(ctx, "node", "--test", "--test-reporter=spec", "console.test.mjs")
	cmd.Env = append(os.Environ(), "CONSOLE=http://"+w.addr, "WAITING=http://"+w.waiting, "GUARDED=http://"+w.guarded, "TOKEN="+w.token, "ORDERS="+orders.URL, "CHROMIUM="+chromium, "TZ=Asia/Shanghai")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\nThe collector said:\n%s", err, out, w.collector.Log())
	}
	t.Logf("%s", out)
}
