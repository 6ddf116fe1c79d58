// Package console looks at the collector's page with a real browser: Debian's Chromium, driven by Playwright. The collector is the real
// program, and what it tells is a simulated province. What is looked for stands in console.test.mjs.
package console

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/exameter/exameter/test/process"
)

func TestConsole(t *testing.T) {
	chromium := os.Getenv("CHROMIUM")
	if chromium == "" {
		var err error
		if chromium, err = exec.LookPath("chromium"); err != nil {
			t.Fatal("no chromium: make deps-test installs it, or CHROMIUM says where one is")
		}
	}
	if _, err := os.Stat("node_modules/playwright-core"); err != nil {
		t.Fatal("make console fetches what drives the browser:", err)
	}
	w := newWorld(t)
	orders := w.orders()
	defer orders.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := process.Command(ctx, "node", "--test", "--test-reporter=spec", "console.test.mjs")
	cmd.Env = append(os.Environ(), "CONSOLE=http://"+w.addr, "WAITING=http://"+w.waiting, "ORDERS="+orders.URL, "CHROMIUM="+chromium, "TZ=Asia/Shanghai")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\nThe collector said:\n%s", err, out, w.collector.Log())
	}
	t.Logf("%s", out)
}
