package drm

import "github.com/exameter/exameter/agent/poll"

// sharePower divides the power of a board among its dies. An MI250 or MI250X is two devices on one board: the first die
// reports the power of both, the second none (aldebaran_ppt.c: "Valid power data is available only from primary die").
// Two dies belong together where their boards have one serial number, which no other card has, and exactly one of them
// tells its power. Without that the sum is right all the same: the first has it all, the second is unknown.
func sharePower(cards []*card, readings []poll.DeviceReading) {
	boards := map[string][]int{}
	for i, c := range cards {
		if id := labelled(c.info.Vendor, c.info.Serial); id != "" {
			boards[id] = append(boards[id], i)
		}
	}
	for _, dies := range boards {
		if len(dies) != 2 {
			continue
		}
		a, b := &readings[dies[0]].Power, &readings[dies[1]].Power
		if b.OK {
			a, b = b, a
		}
		if !a.OK || b.OK {
			continue
		}
		*b = *a
		b.Value /= 2
		a.Value -= b.Value
	}
}
