package fleet

import (
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fault"
)

const (
	hushIdle = time.Second      // nothing has come for so long: nothing is under way any more
	hushMost = 60 * time.Second // a broker that never ends does not hold the run for ever

	// Over a slow link what was lost comes after a wait of several round trips, twice as long each time (RFC 6298
	// section 5.5): nothing may come for so many times its delay, and all of it takes longer.
	hushTrips, hushMostTrips = 16, 100
)

// slowest is the longest delay that a link of the plan has on purpose, in one direction.
func slowest(p *sim.Plan) (d time.Duration) {
	for i := range p.Fleets {
		if l := p.Fleets[i].Link; l != nil {
			d = max(d, l.Delay.D()+l.Jitter.D())
		}
	}
	for i := range p.Acts {
		if k := fault.Of(&p.Acts[i]); k != nil && k.Link != nil {
			l := k.Link(p.Acts[i].Fault)
			d = max(d, l.Delay.D()+l.Jitter.D())
		}
	}
	return d
}

// hush waits until nothing comes any more for devices that subscribe. A broker may have queued much for them, and
// what it still delivers must not count as lost. Silence counts by the time of the devices' own word: workers say
// what was heard in beats, which are seconds apart where there are many, and between two beats nothing ever comes.
func (t *Timeline) hush() {
	if !listens(t.Plan) {
		return
	}
	begun, slow := t.now(), slowest(t.Plan)
	idle, most := hushIdle+hushTrips*slow, max(hushMost, hushMostTrips*slow)
	for heard, since := int64(-1), begun; t.now()-begun < most; time.Sleep(10 * time.Millisecond) {
		state := t.Crew.State()
		n := int64(0)
		for i := range state.Fleets {
			n += state.Fleets[i].Heard
		}
		said := state.At
		if said == 0 && len(state.Gone) > 0 { // nobody is left to say anything
			said = t.now()
		}
		if n != heard {
			heard, since = n, t.now()
		}
		if said-since >= idle {
			return
		}
	}
}

// listens reports whether devices of the plan subscribe to anything beside their commands.
func listens(p *sim.Plan) bool {
	for i := range p.Fleets {
		if len(p.Fleets[i].Data().MQTT.Subscribe) > 0 {
			return true
		}
	}
	return false
}
