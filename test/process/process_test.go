package process

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestStop(t *testing.T) {
	f := func(script string, wantErr string) {
		t.Helper()
		p, err := Start(filepath.Join(t.TempDir(), "log"), []string{"GREETING=hello"}, "sh", "-c", script)
		if err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); !strings.Contains(p.Log(), "hello"); time.Sleep(5 * time.Millisecond) {
			if time.Since(began) > 30*time.Second {
				t.Fatalf("no output of %q: %q", script, p.Log())
			}
		}
		err = p.Stop(300 * time.Millisecond)
		if p.Running() {
			t.Errorf("%q runs on", script)
		}
		if got := ""; err != nil {
			if got = err.Error(); wantErr == "" || !strings.Contains(got, wantErr) {
				t.Errorf("Stop of %q: %v, want %q", script, err, wantErr)
			}
		} else if wantErr != "" {
			t.Errorf("Stop of %q: no error, want %q", script, wantErr)
		}
	}
	f(`trap 'exit 0' TERM; echo $GREETING; while :; do sleep 0.01; done`, "")
	f(`trap 'exit 3' TERM; echo $GREETING; while :; do sleep 0.01; done`, "exit status 3")
	f(`trap '' TERM; echo $GREETING; while :; do sleep 0.01; done`, "did not stop within")
}
