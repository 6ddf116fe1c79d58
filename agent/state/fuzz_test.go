package state

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzOrders reads any file of orders. It is read as orders, or set aside; an edit afterwards goes on from what was read, or drains the host.
func FuzzOrders(f *testing.F) {
	for _, text := range []string{
		"", "{}", `{"version":1}`, `{"version":1,"host":{"reason":"r","since":"2026-11-26T00:00:00Z"}}`, `{"version":1,"devices":{"GPU-a":{"reason":"r","since":"2026-11-26T00:00:00Z"}}}`,
		`{"version":2}`, `{"version":1,"host":{"since":"x"}}`, "\x00\xff", "[]", "null", `{"version":1}{"version":1}`, `{"version":1e400}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		dir, err := os.MkdirTemp("/dev/shm", "exameter-fuzz-") // in memory: every edit is synced
		if err != nil {
			dir = t.TempDir()
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, ordersFile)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		read, _, err := (&Store{Dir: dir}).Orders()
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil { // the file was set aside: put it back for the edit
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var before Orders
		if err := (&Store{Dir: dir}).EditOrders(time.Now(), func(o *Orders) error { before = *o; return nil }); err != nil {
			t.Fatalf("%q: edit: %v", text, err)
		}
		if (before.Host == nil) != (err == nil && read.Host == nil) {
			t.Errorf("%q: read %+v, %v, and edited from %+v", text, read, err, before)
		}
	})
}
