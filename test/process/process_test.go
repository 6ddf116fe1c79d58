package process

import (
	"os"
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

// TestUsage measures this process, which is at work and holds memory, and one that never was.
func TestUsage(t *testing.T) {
	for began := time.Now(); CPU(os.Getpid()) == 0; {
		if time.Since(began) > 30*time.Second {
			t.Fatal("no processor time is measured")
		}
	}
	if n := Resident(os.Getpid()); n < 1<<20 || n > 1<<36 {
		t.Errorf("%d bytes are resident", n)
	}
	if CPU(1<<30) != 0 || Resident(1<<30) != 0 {
		t.Error("a process that is not there uses something")
	}
}
