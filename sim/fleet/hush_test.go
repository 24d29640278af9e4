package fleet

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// beaten is a crew in other processes, whose state comes by beats.
type beaten struct {
	t0    time.Time
	every time.Duration
	heard func(at sim.Instant) int64
	gone  bool // with all its processes
}

func (b *beaten) Order(Order) {}

func (b *beaten) State() State {
	if b.gone {
		return State{Fleets: make([]FleetState, 1), Gone: []int{0}, Shards: 1}
	}
	at := time.Since(b.t0).Truncate(b.every)
	return State{At: at, Fleets: []FleetState{{Devices: 1, Heard: b.heard(at)}}}
}

// Silence counts by what workers say, and not between two of their beats, which are up to 3 s apart.
func TestD1_1_HushWaitsForBeats(t *testing.T) {
	until := func(end time.Duration) func(sim.Instant) int64 {
		return func(at sim.Instant) int64 { return int64(min(at, end) / time.Millisecond) }
	}
	for name, tt := range map[string]struct {
		crew        beaten
		least, most time.Duration
	}{
		"slow beats":  {beaten{every: 3 * time.Second, heard: until(8 * time.Second)}, 12 * time.Second, 13 * time.Second},
		"quick beats": {beaten{every: 100 * time.Millisecond, heard: until(8 * time.Second)}, 9 * time.Second, 9300 * time.Millisecond},
		"silence":     {beaten{every: 3 * time.Second, heard: until(0)}, time.Second, 4 * time.Second},
		"all gone":    {beaten{gone: true}, time.Second, 1100 * time.Millisecond},
		"no end":      {beaten{every: 3 * time.Second, heard: until(time.Hour)}, hushMost, hushMost + 100*time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				tt.crew.t0 = time.Now()
				b := sim.Binding{Role: sim.RoleData, Channel: sim.ChannelMQTT}
				b.MQTT.Subscribe = []sim.Subscription{{Filter: "#"}}
				line := &Timeline{Plan: &sim.Plan{Fleets: []sim.Fleet{{Name: "boards", Count: 1, Bindings: []sim.Binding{b}}}}, T0: tt.crew.t0, Crew: &tt.crew}
				line.hush()
				if took := time.Since(tt.crew.t0); took < tt.least || took > tt.most {
					t.Errorf("it took %v, want %v to %v", took, tt.least, tt.most)
				}
			})
		})
	}
}
