package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exameter/exameter/agent/kernelfile/kernelfiletest"
)

func TestIdentity(t *testing.T) {
	// openssl dgst -sha256 -mac HMAC -macopt hexkey:8d5c8b6f2a1e4c7d9b3f0e6a5d4c3b2a of "exameter", the first half.
	const want = "fbc447312aa52f081f0df97f00a07499"
	id, err := Identity(rootsOf(kernelfiletest.Machine(t, "xeon")))
	if err != nil || id != want {
		t.Errorf("have %q, %v; want %q", id, err, want)
	}
}

func TestIdentitiesDifferAndHideTheMachineID(t *testing.T) {
	seen := map[string]string{}
	for _, name := range kernelfiletest.Machines(t) {
		root := kernelfiletest.Machine(t, name)
		id, err := Identity(rootsOf(root))
		if name == "broken" {
			if !errors.Is(err, ErrNoIdentity) {
				t.Errorf("broken: %q, %v", id, err)
			}
			continue
		}
		machineID, readErr := os.ReadFile(filepath.Join(root, "etc/machine-id"))
		if err != nil || readErr != nil || len(id) != 32 || strings.Contains(string(machineID), id[:8]) {
			t.Errorf("%s: %q, %v, %v", name, id, err, readErr)
		}
		if other := seen[id]; other != "" {
			t.Errorf("%s and %s are both %s", name, other, id)
		}
		seen[id] = name
	}
}

func TestNoIdentityIsEverInvented(t *testing.T) {
	root := t.TempDir()
	roots := rootsOf(root)
	check := func(name string) {
		t.Helper()
		id, err := Identity(roots)
		if id != "" || !errors.Is(err, ErrNoIdentity) || !strings.Contains(err.Error(), "systemd-machine-id-setup") {
			t.Errorf("%s: %q, %v", name, id, err)
		}
		if strings.Contains(err.Error(), "deadbeef") {
			t.Errorf("%s: the error gives the content away: %v", name, err)
		}
	}
	check("missing")
	for _, content := range []string{
		"", "\n", "uninitialized\n", "deadbeef\n", strings.Repeat("0", 32) + "\n", strings.Repeat("g", 32) + "\n",
		"deadbeef" + strings.Repeat("1", 26) + "\n", "\n8d5c8b6f2a1e4c7d9b3f0e6a5d4c3b2a\n",
	} {
		kernelfiletest.Write(t, root, "etc/machine-id", content)
		check(content)
	}
}

func TestBootID(t *testing.T) {
	id, err := BootID(filepath.Join(kernelfiletest.Machine(t, "xeon"), "proc"))
	if err != nil || id != "0f8e6b1c-3d2a-4b5c-8d7e-9f0a1b2c3d4e" {
		t.Errorf("have %q, %v", id, err)
	}
	for _, root := range []string{filepath.Join(kernelfiletest.Machine(t, "broken"), "proc"), t.TempDir()} {
		if id, err := BootID(root); err == nil || id != "" {
			t.Errorf("have %q, want an error", id)
		}
	}
	for _, s := range []string{
		"0F8E6B1C-3d2a-4b5c-8d7e-9f0a1b2c3d4e", "0f8e6b1c03d2a-4b5c-8d7e-9f0a1b2c3d4e", "0f8e6b1c-3d2a-4b5c-8d7e-9f0a1b2c3d4e0",
	} {
		if isUUID(s) {
			t.Errorf("%q is taken for a boot id", s)
		}
	}
}
