package telemetry

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// FuzzQuick holds the quick reader to the reader of line protocol at large: what the one takes, the other takes too, and
// reads the same in it, whatever either read before.
func FuzzQuick(f *testing.F) {
	var e Encoder
	for _, r := range []*Report{serverReport(), {Header: serverReport().Header}} {
		b, err := e.AppendReport(nil, r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	inv := &Inventory{Header: serverReport().Header, HostInfo: HostInfo{Name: "gpu-017"}, Devices: []DeviceInfo{
		{ID: "GPU-5e1d7c20", Vendor: "nvidia", Name: "NVIDIA H200", Index: Known[int64](0)},
	}}
	b, err := e.AppendInventory(nil, inv)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	var quickReader, other Decoder
	var quickReport Report
	var quickInventory Inventory
	f.Fuzz(func(t *testing.T, b []byte) {
		if quickReader.quickReport(b, &quickReport) {
			var want Report
			if err := other.slowReport(b, &want); err != nil {
				t.Fatalf("the quick reader takes a report that is refused: %v\n%s", err, b)
			}
			if d := cmp.Diff(want, quickReport, cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("the quick reader reads another report (-want +got):\n%s", d)
			}
		}
		if quickReader.quickInventory(b, &quickInventory) {
			var want Inventory
			if err := other.slowInventory(b, &want); err != nil {
				t.Fatalf("the quick reader takes an inventory that is refused: %v\n%s", err, b)
			}
			if d := cmp.Diff(want, quickInventory, cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("the quick reader reads another inventory (-want +got):\n%s", d)
			}
		}
	})
}

// TestQuickTakesWhatTheEncoderWrites fails when a change of the encoder, or of the list of fields, sends ordinary
// records the slow way.
func TestQuickTakesWhatTheEncoderWrites(t *testing.T) {
	var d Decoder
	var r Report
	for range 2 {
		if !d.quickReport(encoded(t, serverReport()), &r) {
			t.Fatal("an ordinary report is left to the slow reader")
		}
		if diff := cmp.Diff(*serverReport(), r, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("read (-want +got):\n%s", diff)
		}
	}
}
