package telemetry

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzReport says that whatever is read can be written, and is then read as the same.
func FuzzReport(f *testing.F) {
	seed(f, "report")
	f.Fuzz(func(t *testing.T, b []byte) { survives(t, reports, b) })
}

// FuzzInventory says the same of inventories.
func FuzzInventory(f *testing.F) {
	seed(f, "inventory")
	f.Fuzz(func(t *testing.T, b []byte) { survives(t, inventories, b) })
}

// seed gives the fuzzer the golden records of a kind, and what such a record can be spoiled with.
func seed(f *testing.F, kind string) {
	paths, err := filepath.Glob(filepath.Join("testdata", kind+"*.lp"))
	if err != nil || len(paths) == 0 {
		f.Fatalf("no golden records of kind %s: %v", kind, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		for _, spoil := range [][2]string{
			{"=1i", "=-1i"},
			{"lines=", "later=1.5,lines="},
			{" 1795", "  1795"},
			{"host=", `host=\ \,\=\`},
			{`"b`, `"\"\\\`},
			{"\n", "\r\n"},
			{"false", "F"},
			{"exameter_", "exameter_x"},
			{"centre=guian-sc,", ""},
		} {
			f.Add([]byte(strings.Replace(string(b), spoil[0], spoil[1], 1)))
		}
	}
}

func survives[T any](t *testing.T, k kind[T], b []byte) {
	if len(b) > MaxRecordBytes/2 {
		return // what is written may be longer than what was read, as for a boolean of one letter
	}
	var d Decoder
	var first, second T
	input := string(b)
	err := k.decode(&d, b, &first)
	if string(b) != input {
		t.Fatal("the decoder wrote into its input")
	}
	if err != nil {
		if text := err.Error(); len(text) > MaxText {
			t.Fatalf("an error text of %d bytes", len(text))
		}
		reasonOf(t, err)
		return
	}
	out, err := k.encode(new(Encoder), nil, &first)
	if err != nil {
		t.Fatalf("cannot write what was read: %v\n%+v", err, first)
	}
	if err := k.decode(&d, out, &second); err != nil {
		t.Fatalf("cannot read what was written: %v\n%s", err, out)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Fatalf("read record differs (-first +second):\n%s", diff)
	}
	if err := sameLines(out); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
