package fleet_test

import (
	"testing"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// remnant is a crew of which only the first of three shards is left.
type remnant struct {
	fleet.Crewed
	told bool // it says which are gone
}

func (r *remnant) State() fleet.State {
	s := r.Crewed.State()
	if r.told {
		s.Gone, s.Shards = []int{2, 1}, 3
	}
	return s
}

// Nobody waits for the acts and connections of devices that are gone, but for all of those that are left.
func TestSettleOverThoseThatAreLeft(t *testing.T) {
	some := &sim.Selection{Fleet: "meters", Percent: 40}
	for _, tt := range []struct {
		name string
		told bool
		down bool // the target
		want string
	}{
		{"settled", true, false, ""},
		{"nobody told of the loss", false, false, `not all devices of "meters" have carried out the steps before it`},
		{"those that are left cannot connect", true, true, `4 devices of "meters" are not connected`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				p := meters(10, s, connect(5*s), sim.Act{Kind: sim.ActOffline, Select: some, Over: sim.Duration(2 * s), Hold: sim.Duration(2 * s)},
					settle(20*s), sim.Act{Kind: sim.ActFault, Fault: &sim.Fault{Site: sim.SiteLink, Verb: "new-address"}, Select: some}, settle(20*s))
				r := prepare(t, p)
				r.peer.down = tt.down
				r.worker.Devices = fleet.Crew{
					RunID: 1, Shards: 3, Recorder: r.tape, Account: r.ledger.Account, Dialer: r.worker.Devices.Dialer,
				}
				if err := r.worker.Prepare(); err != nil {
					t.Fatal(err)
				}
				r.worker.Crew = &remnant{&r.worker.Devices, tt.told}
				course := r.run(t, t.Context())
				for _, i := range []int{2, 4} {
					if got := course.Settled[i]; got.Reason != tt.want {
						t.Errorf("act %d: %+v, want %q", i, got, tt.want)
					}
				}
			})
		})
	}
}
