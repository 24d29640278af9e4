package sim

// Journey is the name of a way through named states: from a cause, such as being switched on, to one end
// state. A device makes a journey as often as there is a cause.
type Journey string

// State is the name of a state in a journey.
type State string

// The journeys that exist.
const (
	JourneyConnecting Journey = "connecting" // from the wish to be connected, or the loss of the connection
)

// The states of [JourneyConnecting].
const (
	StateWaiting     State = "waiting"      // for its next call
	StateCalling     State = "calling"      // the call is under way
	StateConnected   State = "connected"    // the end: there is a session
	StateGaveUp      State = "gave up"      // the end: the retry policy allows no more calls
	StateSwitchedOff State = "switched off" // the end: the device is not meant to be connected any more
)

// JourneySpec says what a journey is, before anything starts. It has at most [MaxStates] states.
type JourneySpec struct {
	Name   Journey
	Skill  SkillName // whose devices make it; empty: any device's, followed only where the plan claims something of it
	States []StateSpec
}

// StateSpec is one state of a journey.
type StateSpec struct {
	Name State
	End  bool // a journey that comes here is over

	// Metric is the latency from the journey's cause until it first came here. [OpConnect], which no journey
	// has, is none.
	Metric Op
}

// The numbers of journeys, and of the states of each, with what bounds them: a [Passage] holds two states in
// a byte, and a journey has a number among those of a device's streams. What does not fit does not compile.
const (
	MaxJourneys = 16 // of all fleets
	MaxStates   = 1 << stateBits
	stateBits   = 4

	_ = uint(8 - 2*stateBits)
	_ = uint(MaxJourneys - numJourneys)
	_ = uint(MaxStates - numConnecting)
)

const (
	numberConnecting = iota
	numJourneys
)

const (
	connectingWaiting = iota
	connectingCalling
	connectingConnected
	connectingGaveUp
	connectingSwitchedOff
	numConnecting
)

// Journeys lists what journeys there are.
func Journeys() []JourneySpec {
	connecting := [numConnecting]StateSpec{
		connectingWaiting:     {Name: StateWaiting},
		connectingCalling:     {Name: StateCalling},
		connectingConnected:   {Name: StateConnected, End: true, Metric: OpConnecting},
		connectingGaveUp:      {Name: StateGaveUp, End: true},
		connectingSwitchedOff: {Name: StateSwitchedOff, End: true},
	}
	all := [numJourneys]JourneySpec{
		numberConnecting: {Name: JourneyConnecting, States: connecting[:]},
	}
	return all[:]
}

// Journeys lists the journeys of a fleet's devices that a run keeps account of: those of the fleet's skills,
// and those that the plan claims something of. Its place in the list is a journey's number in the fleet.
func (p *Plan) Journeys(fleet int) []JourneySpec {
	var list []JourneySpec
	f := &p.Fleets[fleet]
	for _, j := range Journeys() {
		if j.Skill != "" && f.Skill(j.Skill) != nil || p.claims(f.Name, &j) {
			list = append(list, j)
		}
	}
	return list
}

// claims reports whether a check is about a journey of a fleet.
func (p *Plan) claims(fleet string, j *JourneySpec) bool {
	for _, checks := range [][]Check{p.Guards, p.Checks} {
		for i := range checks {
			c := &checks[i]
			if c.Journey == j.Name && c.Select != nil && c.Select.Fleet == fleet || c.Kind == CheckLatency && j.Measures(c.Metric) {
				return true
			}
		}
	}
	return false
}

// Number is the number of a state in the journey, -1 if it has none of that name.
func (j *JourneySpec) Number(s State) int {
	for i := range j.States {
		if j.States[i].Name == s {
			return i
		}
	}
	return -1
}

// Measures reports whether one of the journey's states has that metric.
func (j *JourneySpec) Measures(metric Op) bool {
	for i := range j.States {
		if m := j.States[i].Metric; m == metric && m != OpConnect {
			return true
		}
	}
	return false
}

// Passage is one step of a journey in a byte: from a state into another, or from its cause into its first
// state, which is then both.
type Passage uint8

// NewPassage packs a passage between two states, which are below [MaxStates].
func NewPassage(from, to int) Passage { return Passage(from<<stateBits | to) }

// From is the number of the state that the passage leaves.
func (p Passage) From() int { return int(p >> stateBits) }

// To is the number of the state that it goes to.
func (p Passage) To() int { return int(p & (MaxStates - 1)) }

// Begins reports whether the passage is a journey's first.
func (p Passage) Begins() bool { return p.From() == p.To() }
