package sim

import "strconv"

// Copies says whose identities the devices of a fleet show: each that of one device of another fleet, as a second
// piece of hardware with the same image does, or a client that has stolen a credential.
//
// Copies are a fleet of their own, which the compiler adds to the plan, and not something that a device of the story
// does beside its own work. So all that a device has, they have: a place in a shard, a retry policy, weather, samples
// and an account of their sessions. And nothing of theirs is counted as the fleet's: what a story says of "rooms" is
// judged by the devices of "rooms" alone. They report nothing, subscribe to nothing and leave no will, because a
// message with the name of a device that the device did not send could be told from its own by nobody.
type Copies struct {
	Of    string    `json:"of"`    // the fleet
	Fleet uint16    `json:"fleet"` // its index in the plan
	Which []Ordinal `json:"which"` // device i shows the identity of device Which[i] of that fleet
}

// MaxCopies is how many identities a fleet of copies may have: a plan names each.
const MaxCopies = 10_000

// CopiesOf returns the copies of those devices of a fleet that a selection holds, in its order, not yet named. fleet
// is its index in the plan.
func (p *Plan) CopiesOf(fleet int, s *Selection) Fleet {
	f := &p.Fleets[fleet]
	which, key := make([]Ordinal, s.Size(f.Count)), FleetKey(p.Seed, fleet)
	for o := range Ordinal(f.Count) {
		if rank, in := s.Rank(key, o, f.Count); in {
			which[rank] = o
		}
	}
	return Fleet{
		Count: len(which), Model: Model{Name: "copy"}, Link: f.Link, Bindings: f.copied(),
		Copies: &Copies{Of: f.Name, Fleet: uint16(fleet), Which: which},
	}
}

// Mirror gives copies what the fleet that they copy connects with.
func (p *Plan) Mirror() {
	for i := range p.Fleets {
		if c := p.Fleets[i].Copies; c != nil {
			p.Fleets[i].Bindings = p.Fleets[c.Fleet].copied()
		}
	}
}

// copied is the fleet's binding for reports as a copy of a device has it.
func (f *Fleet) copied() []Binding {
	b := *f.Data()
	b.MQTT.Will, b.MQTT.Subscribe, b.MQTT.Retain = nil, nil, false
	return []Binding{b}
}

// Original is the ordinal of the device whose identity device o shows: its own, but for a copy. Both belong to the
// same endpoint.
func (f *Fleet) Original(o Ordinal) Ordinal {
	if f.Copies == nil {
		return o
	}
	return f.Copies.Which[o]
}

// Family is the name that the devices of the fleet give for {fleet}: the fleet's own, but for copies.
func (f *Fleet) Family() string {
	if f.Copies == nil {
		return f.Name
	}
	return f.Copies.Of
}

// Identity is the fleet and the device whose credential the caller shows: its own, but for a copy.
func (c *Caller) Identity() (fleet uint16, o Ordinal) {
	if c.Copies == nil {
		return c.Fleet, c.Ordinal
	}
	return c.Copies.Fleet, c.Copies.Which[c.Ordinal]
}

// name is the {id} of the device that a copy copies.
func (c *Copies) name(o Ordinal) string {
	return c.Of + "-" + strconv.FormatUint(uint64(c.Which[o]), 10)
}

// ShownID is the {id} that device o gives to its peers: that of [Fleet.DeviceID], but for a copy.
func (f *Fleet) ShownID(o Ordinal) string {
	if f.Copies == nil {
		return f.DeviceID(o)
	}
	return f.Copies.name(o)
}
