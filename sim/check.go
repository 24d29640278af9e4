package sim

// CheckKind is what a Then step, or a guard, claims.
type CheckKind string

// The checks, each with the fields of Check that it uses beside Kind, Text and Origin.
const (
	CheckLatency    CheckKind = "latency"     // Metric, Quantile, Bound, Limit (seconds), Window
	CheckDelivered  CheckKind = "delivered"   // Bound, Limit (share), Within
	CheckLost       CheckKind = "lost"        // Bound, Limit (messages, or share if Share), QoS
	CheckDuplicates CheckKind = "duplicates"  // none
	CheckOrder      CheckKind = "order"       // none
	CheckConnected  CheckKind = "connected"   // Select, Within, Phase, Edge
	CheckRate       CheckKind = "rate"        // Bound, Limit (connection attempts a second)
	CheckReconnects CheckKind = "reconnects"  // Bound, Limit (times, worst device)
	CheckRecovery   CheckKind = "recovery"    // Phase, Within
	CheckErrors     CheckKind = "only-errors" // Errors
	CheckSchedule   CheckKind = "schedule"    // Within; breaking it makes the run invalid, not failed
	CheckHandshakes CheckKind = "handshakes"  // Metric (OpHandshake or OpResumption), Bound, Limit (times), Window
	CheckAnswered   CheckKind = "answered"    // Bound, Limit (share of the commands), Within
	CheckSpread     CheckKind = "spread"      // Bound, Limit (share of an even part, worst broker)
	CheckSettled    CheckKind = "settled"     // a When: Act is its index in Plan.Acts
)

// Bound is how a value is compared with its limit.
type Bound string

// The bounds, in the words of stories.
const (
	Below   Bound = "below"
	AtMost  Bound = "at most"
	Above   Bound = "above"
	AtLeast Bound = "at least"
	Exactly Bound = "exactly"
)

// Holds reports whether value stands in relation b to limit.
func (b Bound) Holds(value, limit float64) bool {
	switch b {
	case Below:
		return value < limit
	case AtMost:
		return value <= limit
	case Above:
		return value > limit
	case AtLeast:
		return value >= limit
	}
	return value == limit
}

// Margin is the distance to the limit on the good side: negative when b does not hold, 0 at the limit.
func (b Bound) Margin(value, limit float64) float64 {
	switch b {
	case Below, AtMost:
		return limit - value
	case Above, AtLeast:
		return value - limit
	}
	return min(value-limit, limit-value) // never -0, which JSON would show
}

// Quantiles beside 0..1.
const (
	QuantileMax  = 1.0
	QuantileMean = -1.0
)

// WindowKind is which part of the run a check looks at.
type WindowKind string

// The windows. The warm-up is outside of each.
const (
	WindowRun      WindowKind = ""         // "during the run"
	WindowPhase    WindowKind = "phase"    // `during phase "x"`: Phase
	WindowLast     WindowKind = "last"     // "in the last 5m": Span
	WindowRecovery WindowKind = "recovery" // "after recovery"
	WindowEvery    WindowKind = "every"    // "in every 10s": Span; the worst interval counts
)

// Window is the part of the run that a check looks at; samples belong to it by their due instant.
type Window struct {
	Kind  WindowKind `json:"kind,omitempty"`
	Phase string     `json:"phase,omitempty"`
	Span  Duration   `json:"span,omitempty"`
}

// Check is a claim about the finished run, as data.
type Check struct {
	Kind   CheckKind `json:"kind"`
	Text   string    `json:"text"`   // the sentence
	Origin string    `json:"origin"` // "features/storm.feature:23"

	Metric   Op           `json:"metric,omitempty"`
	Quantile float64      `json:"quantile,omitempty"` // 0..1, QuantileMax or QuantileMean
	Bound    Bound        `json:"bound,omitempty"`
	Limit    float64      `json:"limit"`
	Share    bool         `json:"share,omitempty"` // Limit is a share of the messages sent
	Window   Window       `json:"window,omitzero"`
	Within   Duration     `json:"within,omitempty"`
	Select   *Selection   `json:"select,omitempty"`
	Phase    string       `json:"phase,omitempty"`
	Edge     string       `json:"edge,omitempty"` // "starts" or "ends"
	QoS      *byte        `json:"qos,omitempty"`  // nil is any
	Errors   []ErrorLimit `json:"errors,omitempty"`
	Act      int          `json:"act,omitempty"`
}

// ErrorLimit allows a class of errors, up to Share of all operations or up to Count.
type ErrorLimit struct {
	Outcome Outcome `json:"outcome"`
	Share   float64 `json:"share,omitempty"`
	Count   int     `json:"count,omitempty"`
	IsShare bool    `json:"is_share,omitempty"`
}
