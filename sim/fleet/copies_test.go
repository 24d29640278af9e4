package fleet

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/device"
)

// told is a crew that is always in the same state.
type told State

func (c told) Order(Order)  {}
func (c told) State() State { return State(c) }

// Everything is settled though copies of devices are not connected: they and their originals never all are. Other
// devices must be.
func TestSettledWithoutCopies(t *testing.T) {
	for want, copies := range map[string]*sim.Copies{
		"": {Of: "meters", Which: []sim.Ordinal{4, 5, 6}},
		`3 devices of "others" are not connected`: nil,
	} {
		timeline := Timeline{
			Plan: &sim.Plan{Fleets: []sim.Fleet{{Name: "meters", Count: 10}, {Name: "others", Count: 3, Copies: copies}}}, T0: time.Now(),
			Crew:     told{At: time.Minute, Fleets: []FleetState{{Devices: 10, Wanted: 10, Connected: 10}, {Devices: 3, Wanted: 3}}},
			programs: []*device.Program{device.NewProgram(), device.NewProgram()},
		}
		if got := timeline.unsettled(time.Second); got != want {
			t.Errorf("unsettled: %q, want %q", got, want)
		}
	}
}
