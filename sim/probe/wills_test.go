package probe

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/myriad-iot/myriad/sim"
)

// A probe subscribes to the wills of devices, by one connection or several, and its operator does not.
func TestD1_7_ProbesSubscribeToWills(t *testing.T) {
	f, other := mqttFleet("m", "m/{id}"), mqttFleet("quiet", "")
	f.Bindings[0].MQTT.Will = &sim.Will{Topic: "m/{id}", Payload: "gone"} // where its reports go, too
	other.Bindings[0].MQTT.Will = &sim.Will{Topic: "{fleet}/{id}/state", Payload: "gone"}
	p := &sim.Plan{Fleets: []sim.Fleet{f, other}}
	if got := filters(p, (*sim.StreamSpec).Telemetry); !slices.Equal(got, []string{"m/+", "quiet/+/state"}) {
		t.Errorf("%q", got)
	}
	if got := filters(p, answers); len(got) != 0 {
		t.Errorf("the operator subscribes to %q", got)
	}
	where := make(map[string]int)
	for _, share := range shares(p, (*sim.StreamSpec).Telemetry, 0, 1, 3) {
		for _, topic := range share {
			where[topic]++
		}
	}
	if len(where) != 20 || where["m/m-7"] != 1 || where["quiet/quiet-7/state"] != 1 {
		t.Errorf("%v", where)
	}
}

// seen keeps what a witness is shown.
type seen []sim.Sighting

func (s *seen) See(x sim.Sighting) { *s = append(*s, x) }

// still is a clock that stands.
type still struct{}

func (still) Now() sim.Instant { return time.Minute }

// A will is a sighting of its device: once for a redelivery, not for what the broker had retained, and at the device's
// own endpoint only.
func TestD1_7_AWillIsASighting(t *testing.T) {
	f := mqttFleet("m", "m/{id}")
	f.Bindings[0].MQTT.Will = &sim.Will{Topic: "w/{id}", Payload: "gone"}
	var got seen
	p := &Probe{Plan: &sim.Plan{Fleets: []sim.Fleet{f}}, RunID: 7, Witness: &got, Clock: still{}}
	p.prepare()
	l := &listener{probe: p, of: 1, outage: -1}
	l.message([]byte("w/m-3"), []byte("gone"), time.Now(), false, false)
	l.message([]byte("w/m-4"), []byte("gone"), time.Now(), false, true) // retained
	l.message([]byte("w/m-5"), []byte("here"), time.Now(), false, false)
	l.message([]byte("w/m-10"), []byte("gone"), time.Now(), false, false) // there are ten
	l.down(nil)
	l.message([]byte("w/m-3"), []byte("gone"), time.Now(), true, false) // the copy of a resumed session
	elsewhere := &listener{probe: p, index: 1 - sim.Spread(3, 2), of: 2, outage: -1}
	elsewhere.message([]byte("w/m-3"), []byte("gone"), time.Now(), false, false)
	var stamps []sim.Stamp
	for _, s := range got {
		stamps = append(stamps, s.Stamp)
	}
	if d := cmp.Diff([]sim.Stamp{{Run: 7, Stream: sim.WillStream, Device: 3}}, stamps); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
