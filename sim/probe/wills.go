package probe

import "github.com/myriad-iot/myriad/sim"

// will is the sighting of a will that endpoint index of n publishes, whose payload is the story's and has no stamp;
// false if no device of the endpoint leaves such a one.
func (p *Probe) will(topic, payload []byte, index, n int) (sim.Stamp, bool) {
	if p.answers {
		return sim.Stamp{}, false
	}
	for _, i := range p.willDevices {
		if o, ok := p.Plan.Fleets[i].WillDevice(topic, payload); ok && sim.Spread(o, n) == index {
			return sim.Stamp{Run: p.RunID, Fleet: uint16(i), Stream: sim.WillStream, Device: o}, true
		}
	}
	return sim.Stamp{}, false
}
