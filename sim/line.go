package sim

import "slices"

// Lines are the roles in which the fleet's devices hold a conversation: data first, then each other role that
// carries messages of a skill. Each has a binding of its own, on a channel of its own: see [Fleet.Line]. Roles
// that only fetch are none.
func (f *Fleet) Lines() []Role {
	list := []Role{RoleData}
	for _, s := range f.Streams() {
		if !slices.Contains(list, s.Role) {
			list = append(list, s.Role)
		}
	}
	return list
}

// Line is the role of the conversation that a skill uses.
func (f *Fleet) Line(k *Skill) Role {
	if k.Role == "" || k.Topic == "" && k.Listen == "" {
		return RoleData
	}
	return k.Role
}

// Conversations are the bindings of the fleet's lines, in the order of [Fleet.Lines].
func (f *Fleet) Conversations() []*Binding {
	var list []*Binding
	for _, r := range f.Lines() {
		if b := f.Binding(r); b != nil {
			list = append(list, b)
		}
	}
	return list
}

// Over is the binding of the fleet's conversation on a channel; nil if there is none.
func (f *Fleet) Over(c Channel) *Binding {
	for _, b := range f.Conversations() {
		if b.Channel == c {
			return b
		}
	}
	return nil
}

// Speaks reports whether the fleet's devices hold a conversation on a channel.
func (f *Fleet) Speaks(c Channel) bool { return f.Over(c) != nil }

// Speech says what the fleet speaks, all lines: "CoAP CON, control by MQTT 5 QoS 1".
func (f *Fleet) Speech() string {
	text := f.Data().Speech()
	for _, b := range f.Conversations()[1:] {
		text += ", " + string(b.Role) + " by " + b.Speech()
	}
	return text
}

// The number of an endpoint, as samples have it, says in its highest bits on which line it was.
const (
	lineBits     = 2
	endpointBits = 16 - lineBits
)

// EndpointOn is the number for samples of an endpoint that a fleet's n-th line (0 to 3) dials, from its
// number among those of its scheme: see [Endpoints.Number].
func EndpointOn(line int, number uint16) uint16 {
	if number >= 1<<endpointBits {
		number = 0 // any other
	}
	return uint16(line)<<endpointBits | number
}

// LineOf is the line that a number of [EndpointOn] is of: 0 is the one that the fleet reports by.
func LineOf(n uint16) int { return int(n >> endpointBits) }

// Endpoint takes a number of [EndpointOn] apart: the scheme of the fleet's line, and the endpoint's number among
// those of the scheme.
func (f *Fleet) Endpoint(n uint16) (Scheme, uint16) {
	s := f.Data().Scheme()
	if list := f.Conversations(); int(n>>endpointBits) < len(list) {
		s = list[n>>endpointBits].Scheme()
	}
	return s, n & (1<<endpointBits - 1)
}
