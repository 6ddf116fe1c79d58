//go:build !linux || !cgo

package nvml

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exameter/exameter/agent/poll"
)

var _ interface {
	poll.Source
	poll.Releaser
} = (*Source)(nil)

func TestWithoutCgo(t *testing.T) {
	sys := t.TempDir()
	card := filepath.Join(sys, "bus/pci/devices/0000:17:00.0")
	if err := os.MkdirAll(card, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"vendor": "0x10de\n", "class": "0x030200\n"} {
		if err := os.WriteFile(filepath.Join(card, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for vendor, want := range map[string]string{
		"nvidia":   "the PCI bus shows 1 NVIDIA devices, but this build of the agent has no NVML, because it was made without cgo; they are not counted",
		"iluvatar": "",
	} {
		s := New(Config{Vendor: vendor, SysRoot: sys})
		r, err := s.Read(context.Background())
		if !errors.Is(err, poll.ErrAbsent) || !strings.Contains(err.Error(), "this build of the agent has no NVML") {
			t.Errorf("error %v", err)
		}
		got := ""
		for _, n := range r.Notices {
			got += n.Text
		}
		if got != want {
			t.Errorf("%s: notices %q, want %q", s.Name(), got, want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := s.Read(context.Background()); err == nil {
			t.Error("read after close")
		}
	}
}
