package fleet

import (
	"errors"
	"testing"

	"github.com/exameter/exameter/collector/capacity"
)

// TestCheckFindsWhatIsWrong breaks a fleet in the ways that a mistake in its arithmetic or in its claims would.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	for name, spoil := range map[string]func(f *Fleet){
		"a device too many":                 func(f *Fleet) { f.tally.cells[0].Devices[capacity.Busy]++ },
		"a milliwatt too few":               func(f *Fleet) { f.tally.cells[0].PowerMW-- },
		"a fault too many":                  func(f *Fleet) { f.tally.faults[lost]++ },
		"a host too many":                   func(f *Fleet) { f.tally.online[f.shape[3]]++ },
		"a device that nobody owns":         func(f *Fleet) { f.at(3).devices[2].claim &^= isOwned },
		"an owner that is not in the table": func(f *Fleet) { f.devices.owner.remove(f.at(3).devices[2].hash, 3) },
		"another owner in the table":        func(f *Fleet) { f.devices.owner.change(f.at(3).devices[2].hash, 3, 4) },
		"processors that are not in the table": func(f *Fleet) {
			f.sets.owner.remove(f.at(3).processors().hash, 3)
		},
		"a device that two hosts own": func(f *Fleet) {
			other := benchBuild(4).at(3) // whose devices are those of host 3
			h := f.at(5)
			f.count(5, -1)
			for i := range h.devices {
				f.of(&h.devices[i]).owner.remove(h.devices[i].hash, 5)
			}
			h.ids = other.ids
			for i := range h.devices {
				h.devices[i].hash, h.devices[i].idAt, h.devices[i].idSize = other.devices[i].hash, other.devices[i].idAt, other.devices[i].idSize
				f.of(&h.devices[i]).owner.add(h.devices[i].hash, 5)
			}
			f.count(5, 1)
		},
	} {
		f := benchBuild(64)
		if err := f.Check(); err != nil {
			t.Fatalf("%s: before anything is spoilt: %v", name, err)
		}
		spoil(f)
		if err := f.Check(); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: Check says %v", name, err)
		}
	}
}
