package kernelfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/exameter/exameter/agent/kernelfile"
	"github.com/exameter/exameter/telemetry"
)

func TestReadSeesWhatTheFileSaysNow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "value")
	f := kernelfile.New(path, 16)
	if _, err := f.Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("missing file: error %v", err)
	}
	for _, want := range []string{"first\n", "2\n", "longer than the"} {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := f.Read(); err != nil || string(b) != want {
			t.Errorf("read %q, %v; want %q", b, err, want)
		}
	}
	if err := os.WriteFile(path, []byte("more than sixteen bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := f.Read(); err != nil || string(b) != "more than sixtee" {
		t.Errorf("read %q, %v; want the first 16 bytes", b, err)
	}
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if b, err := f.Read(); err != nil || len(b) != 16 {
		t.Errorf("after Close: read %q, %v", b, err)
	}
}

func TestReadOfAFolderFails(t *testing.T) {
	if _, err := kernelfile.New(t.TempDir(), 16).Read(); err == nil {
		t.Error("a folder was read")
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(path, []byte("12\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := kernelfile.New(path, 64)
	defer func() { _ = f.Close() }()
	n := testing.AllocsPerRun(100, func() {
		b, err := f.Read()
		if err != nil {
			t.Fatal(err)
		}
		if v, err := kernelfile.Uint(b); err != nil || v != 12 {
			t.Fatal(v, err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a read, want none", n)
	}
}

func TestUint(t *testing.T) {
	for in, want := range map[string]uint64{"0\n": 0, " 12 ": 12, "18446744073709551615\n": 1<<64 - 1} {
		if got, err := kernelfile.Uint([]byte(in)); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "\n", "-1", "+1", "NaN", "1 2", "0x10", "1.5", "18446744073709551616"} {
		if got, err := kernelfile.Uint([]byte(in)); err == nil {
			t.Errorf("%q: %d, want an error", in, got)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", " NF5688M6 \n", "a\x00b\x1b[31m", "\xff\xfe", strings.Repeat("国", 200), "x\u0085y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := kernelfile.Clean(s)
		switch {
		case len(got) > telemetry.MaxName:
			t.Errorf("%d bytes", len(got))
		case !utf8.ValidString(got), strings.ContainsFunc(got, unicode.IsControl):
			t.Errorf("%q is not fit for the wire", got)
		case got != strings.TrimSpace(got), kernelfile.Clean(got) != got:
			t.Errorf("%q is not clean", got)
		}
	})
}
