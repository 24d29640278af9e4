package sim

import (
	"strconv"
	"strings"
)

// PlaceRun stands for the name of the run in a client identifier: see [Plan.NameRun].
const PlaceRun = "{run}"

// RunNameLength is the length of a run's name in bytes.
const RunNameLength = 4

// RunName is the short name of a run, digits and small letters, after its number. Two runs have the same one by
// chance in one of 1.7 million cases.
func RunName(run uint32) string {
	name := strconv.FormatUint(uint64(run)%(36*36*36*36), 36)
	return strings.Repeat("0", RunNameLength-len(name)) + name
}

// NameRun puts the name of a run into the client identifiers of the plan. It is for the copy that devices are made
// of: a plan is the same for every run of it.
func (p *Plan) NameRun(run uint32) {
	for i := range p.Fleets {
		for k := range p.Fleets[i].Bindings {
			p.Fleets[i].Bindings[k].NameRun(run)
		}
	}
}

// NameRun is that of one binding.
func (b *Binding) NameRun(run uint32) {
	b.MQTT.ClientID = strings.ReplaceAll(b.MQTT.ClientID, PlaceRun, RunName(run))
}
