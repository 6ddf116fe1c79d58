package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/exameter/exameter/telemetry"
)

func TestStoreKeepsDevices(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	if got, err := s.Devices(); err != nil || got != nil {
		t.Fatalf("at first: %v, %v", got, err)
	}
	want := []Device{{
		Info: telemetry.DeviceInfo{ID: "GPU-1", Index: telemetry.Known[int64](0), Memory: telemetry.Known[telemetry.Bytes](141 << 30)}, Source: "nvml",
		Seen: t0, Missing: true, ECCBase: 3, Acked: t0, Faults: []Fault{{XID: 79, At: t0, Boot: "b", Generation: 2}},
	}}
	if err := s.SaveDevices(want); err != nil {
		t.Fatal(err)
	}
	got, err := s.Devices()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if left, err := filepath.Glob(filepath.Join(s.Dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestStoreSweeps removes what a killed process left, and nothing that somebody may be writing, nor anything else.
func TestStoreSweeps(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	now := time.Now()
	for name, age := range map[string]time.Duration{
		".devices.json-1": time.Hour, ".drain.json-2": time.Hour, ".check-3": time.Hour, ".devices.json-4": time.Second,
		"devices.json": time.Hour, "drain.json": time.Hour, ".other-5": time.Hour,
	} {
		path := filepath.Join(s.Dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Sweep(now); err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadDir(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range all {
		left = append(left, e.Name())
	}
	if d := cmp.Diff([]string{".devices.json-4", ".other-5", "devices.json", "drain.json"}, left); d != "" {
		t.Error(d)
	}
}

func TestStoreSetsAsideWhatItDoesNotUnderstand(t *testing.T) {
	for name, text := range map[string]string{
		"truncated": `{"version":1,"devices":[{"info"`,
		"empty":     "",
		"wrong":     `{"version":2}`,
		"no json":   "devices: []",
	} {
		t.Run(name, func(t *testing.T) {
			s := &Store{Dir: t.TempDir()}
			for _, file := range []string{devicesFile, ordersFile} {
				if err := os.WriteFile(filepath.Join(s.Dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Devices(); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "devices.json.corrupt") {
				t.Errorf("devices: %v", err)
			}
			for range 2 { // until they are replaced, there are no others
				if _, changed, err := s.Orders(); !errors.Is(err, ErrCorrupt) || !changed {
					t.Errorf("orders: changed %v, %v", changed, err)
				}
			}
			if b, err := os.ReadFile(filepath.Join(s.Dir, "drain.json.corrupt")); err != nil || string(b) != text {
				t.Errorf("set aside %q, %v", b, err)
			}
			if b, err := os.ReadFile(filepath.Join(s.Dir, "devices.json.corrupt")); err != nil || string(b) != text {
				t.Errorf("set aside %q, %v", b, err)
			}
			if got, err := s.Devices(); err != nil || got != nil {
				t.Errorf("afterwards: %v, %v", got, err)
			}
		})
	}
}

// TestStoreWaitsForNobody finds a pipe, into which nobody writes, where the orders should be.
func TestStoreWaitsForNobody(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	path := filepath.Join(s.Dir, ordersFile)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	both, err := os.OpenFile(path, os.O_RDWR, 0) // so that it has no end
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	done := make(chan error, 1)
	go func() {
		_, _, err := s.Orders()
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, ErrCorrupt) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it waits")
	}
	if err := s.KeepOrders(Orders{}); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Orders(); err != nil {
		t.Error(err)
	}
}

func TestStoreThatLooksChangesNothing(t *testing.T) {
	s := &Store{Dir: t.TempDir(), Look: true}
	for _, file := range []string{devicesFile, ordersFile} {
		if err := os.WriteFile(filepath.Join(s.Dir, file), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Devices(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("devices: %v", err)
	}
	if _, _, err := s.Orders(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("orders: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(s.Dir, "*")); err != nil || len(left) != 2 || strings.Contains(strings.Join(left, ""), "corrupt") {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestStoreSeesChangedOrders(t *testing.T) {
	dir := t.TempDir()
	agent, command := &Store{Dir: dir}, &Store{Dir: dir}
	look := func(wantChanged bool, wantReason string) {
		t.Helper()
		o, changed, err := agent.Orders()
		if err != nil || changed != wantChanged {
			t.Fatalf("changed %v, %v; want %v", changed, err, wantChanged)
		}
		if wantReason != "" && (o.Host == nil || o.Host.Reason != wantReason) {
			t.Fatalf("orders %+v, want %q", o, wantReason)
		}
	}
	look(false, "")
	drain := func(reason string) {
		t.Helper()
		if err := command.EditOrders(t0, func(o *Orders) error { o.Drain("", Drain{Reason: reason, Since: t0}); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	drain("a")
	look(true, "a")
	look(false, "")
	drain("b") // of the same length, within the same moment
	look(true, "b")
	if err := os.Remove(filepath.Join(dir, ordersFile)); err != nil {
		t.Fatal(err)
	}
	look(true, "")
	look(false, "")
}

func TestStoreEditsOneAtATime(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			err := (&Store{Dir: dir}).EditOrders(t0, func(o *Orders) error {
				o.Drain(string(rune('a'+i)), Drain{Reason: "r"})
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	o, _, err := (&Store{Dir: dir}).Orders()
	if err != nil || len(o.Devices) != 20 {
		t.Errorf("%d orders of 20 survived, %v", len(o.Devices), err)
	}
}

func TestStoreDistrustsOrdersItLost(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(s.Dir, ordersFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.EditOrders(t0, func(o *Orders) error { o.Drain("GPU-1", Drain{Reason: "r"}); return nil }); err != nil {
		t.Fatal(err)
	}
	o, _, err := s.Orders()
	if err != nil || o.Host == nil || o.Of("GPU-0") == nil {
		t.Errorf("orders %+v, %v: want the host drained", o, err)
	}
}

// TestStoreKeepsWhatACommandWrote has an agent repair orders that a command is replacing, or has just replaced: the command's stand.
func TestStoreKeepsWhatACommandWrote(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(s.Dir, ordersFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := Orders{Devices: map[string]Drain{"GPU-1": {Reason: "old"}}}
	err := s.EditOrders(t0, func(o *Orders) error {
		o.Drain("", Drain{Reason: "new"})
		return (&Store{Dir: s.Dir}).KeepOrders(old)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.KeepOrders(old); err != nil {
		t.Fatal(err)
	}
	if o, _, err := s.Orders(); err != nil || o.Host == nil || o.Host.Reason != "new" || len(o.Devices) != 0 {
		t.Errorf("orders %+v, %v", o, err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, ordersFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.KeepOrders(old); err != nil {
		t.Fatal(err)
	}
	if o, _, err := s.Orders(); err != nil || o.Host != nil || o.Devices["GPU-1"].Reason != "old" {
		t.Errorf("orders %+v, %v", o, err)
	}
}

func TestStoreWithoutADirectory(t *testing.T) {
	s := &Store{Dir: filepath.Join(t.TempDir(), "none")}
	if err := s.SaveDevices(nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("save: %v", err)
	}
	if err := s.EditOrders(t0, func(*Orders) error { return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("edit: %v", err)
	}
	if s.Writable() == nil {
		t.Error("writable")
	}
}

func TestOrders(t *testing.T) {
	var o Orders
	o.Drain("", Drain{Reason: "a", Since: t0})
	o.Drain("", Drain{Reason: "b", Since: t0.Add(time.Hour), ReleaseDriver: true})
	if !o.Host.Since.Equal(t0) || o.Host.Reason != "b" || !o.ReleaseDriver() {
		t.Errorf("host %+v", o.Host)
	}
	o.Drain("GPU-1", Drain{Reason: "c", Since: t0})
	if o.Of("GPU-1").Reason != "b" {
		t.Error("the order on the host comes first")
	}
	if !o.Undrain("", t0) || o.Undrain("", t0) || o.ReleaseDriver() {
		t.Error("undrain of the host")
	}
	if o.Of("GPU-1") == nil || o.Of("GPU-2") != nil || strings.Join(o.Drained(), " ") != "GPU-1" {
		t.Errorf("orders %+v", o)
	}
	o.Forget("GPU-1", t0)
	if len(o.Drained()) != 0 || o.Forgotten["GPU-1"].IsZero() {
		t.Errorf("orders %+v", o)
	}
}

func TestValidReason(t *testing.T) {
	for _, good := range []string{"change of fans", "更换风扇"} {
		if err := ValidReason(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "  ", "a\nb", "\xff", strings.Repeat("x", MaxReason+1)} {
		if ValidReason(bad) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
