package sim

// ActKind is what happens.
type ActKind string

// The acts, each with the fields of Act that it uses beside Origin, Text, Segment, At and Hold.
const (
	ActConnect    ActKind = "connect"     // Select, Curve+Over or Rate: power on and connect; by steps, others go on meanwhile
	ActOffline    ActKind = "offline"     // Select: disconnect properly; Over > 0: come back after it
	ActComeBack   ActKind = "come-back"   // Select, Curve, Over
	ActTask       ActKind = "task"        // Select, Task, Curve+Over or Rate: devices do something, or are told to
	ActLoad       ActKind = "load"        // Load: the publish rate follows these ramps
	ActPhaseStart ActKind = "phase-start" // Phase
	ActPhaseEnd   ActKind = "phase-end"   // Phase
	ActPhaseRun   ActKind = "phase-run"   // Phase, Hold: opens it unless it is open, then closes it
	ActSettle     ActKind = "settle"      // waits until all is connected and acknowledged, at most Hold
	ActWait       ActKind = "wait"        // Hold: nothing new happens
	ActFault      ActKind = "fault"       // Fault; Select, where its site is the devices': something is broken
)

// Act is one thing that happens on the timeline. Steps follow one another: a step that names a
// duration takes that long (Hold) and the next begins when it is over. A settle act ends a
// segment, because nobody knows beforehand how long it takes.
type Act struct {
	Kind    ActKind  `json:"kind"`
	Segment int      `json:"segment"` // settle acts before this one
	At      Duration `json:"at"`      // since the segment's start
	Hold    Duration `json:"hold,omitempty"`

	Select  *Selection `json:"select,omitempty"`
	Curve   Curve      `json:"curve,omitempty"`
	Over    Duration   `json:"over,omitempty"`
	Rate    float64    `json:"rate,omitempty"`    // devices a second
	Offsets []Duration `json:"offsets,omitempty"` // CurveFollowing: arrival quantiles within Over
	Step    int        `json:"step,omitempty"`    // CurveSteps: devices; the last step may have fewer
	Load    []Ramp     `json:"load,omitempty"`
	Phase   string     `json:"phase,omitempty"`
	Fault   *Fault     `json:"fault,omitempty"`
	Task    *Task      `json:"task,omitempty"`

	Origin string `json:"origin"` // "features/storm.feature:17"
	Text   string `json:"text"`
}

// Commands reports whether Myriad's operator sends a message to each device that a selects.
func (a *Act) Commands() bool { return a.Kind == ActTask && a.Task != nil && a.Task.Sent }

// Lasts is for how long the act has an effect: longer than it holds the timeline, where the story goes on meanwhile.
func (a *Act) Lasts() Duration {
	d := max(a.Hold, a.Over)
	if a.Fault != nil {
		d = max(d, a.Fault.For)
	}
	return d
}

// Curve is the shape of a ramp.
type Curve string

// The curves.
const (
	CurveEvenly        Curve = "evenly"
	CurveBursts        Curve = "in bursts"     // ten equal bursts
	CurveExponentially Curve = "exponentially" // slow first
	CurveFollowing     Curve = "following"     // a CSV of cumulative shares
	CurveSteps         Curve = "in steps"      // Step devices at a time, each step spread over its first quarter
)

// Ramp moves the publish rate, as a multiple of the fleets' nominal rate, from From to To.
type Ramp struct {
	From  float64  `json:"from"`
	To    float64  `json:"to"`
	Over  Duration `json:"over"`
	Curve Curve    `json:"curve"`
}

// Selection is a seeded, stable part of a fleet: the same seed selects the same devices, and 1%
// of a fleet is part of its 10%.
type Selection struct {
	Fleet   string   `json:"fleet"`
	Percent float64  `json:"percent,omitempty"` // 0..100
	Count   int      `json:"count,omitempty"`
	Device  *Ordinal `json:"device,omitempty"`
	All     bool     `json:"all,omitempty"`
}

// Size is the number of devices that s selects out of n.
func (s *Selection) Size(n int) int {
	switch {
	case s.All:
		return n
	case s.Device != nil:
		if int(*s.Device) >= n {
			return 0
		}
		return 1
	case s.Count > 0:
		return min(s.Count, n)
	}
	return min(n, int(float64(n)*s.Percent/100+0.5))
}

// Rank returns the device's place in s, 0 to Size-1, and whether s holds it at all. n is the
// fleet's size, o less than n, and key the fleet's stream key (see [FleetKey]).
func (s *Selection) Rank(key uint64, o Ordinal, n int) (rank int, ok bool) {
	switch {
	case s.All:
		return int(o), true
	case s.Device != nil:
		return 0, *s.Device == o
	}
	r := permute(key, uint32(o), uint32(n))
	return int(r), int(r) < s.Size(n)
}
