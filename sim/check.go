package sim

// CheckKind is what a Then step, or a guard, claims.
type CheckKind string

// The checks, each with the fields of Check that it uses beside Kind, Text and Origin.
const (
	CheckLatency    CheckKind = "latency"     // Metric, Quantile, Bound, Limit (seconds), Window, Fleet, Answered
	CheckRelative   CheckKind = "relative"    // Metric, Quantile, Bound, Limit (share of what it is in Phase), Window
	CheckDelivered  CheckKind = "delivered"   // Bound, Limit (share), Within
	CheckLost       CheckKind = "lost"        // Bound, Limit (messages, or share if Share), QoS, Fleet
	CheckDuplicates CheckKind = "duplicates"  // none
	CheckOrder      CheckKind = "order"       // none
	CheckConnected  CheckKind = "connected"   // Select, Within, Phase, Edge
	CheckRate       CheckKind = "rate"        // Bound, Limit (connection attempts a second; if Answered, connections), Fleet, Window
	CheckAttempts   CheckKind = "attempts"    // Fleet, Bound, Limit (connection attempts a device, on average), Window
	CheckPeak       CheckKind = "peak"        // Fleet, Bound, Limit (times the mean: connection attempts in the busiest second), Window
	CheckTraffic    CheckKind = "traffic"     // Fleet, Bound, Limit (bytes a device uses in a day, on average), Window
	CheckReconnects CheckKind = "reconnects"  // Bound, Limit (times, worst device)
	CheckRecovery   CheckKind = "recovery"    // Phase, Within
	CheckErrors     CheckKind = "only-errors" // Errors
	CheckSchedule   CheckKind = "schedule"    // Within; breaking it makes the run invalid, not failed
	CheckHandshakes CheckKind = "handshakes"  // Metric (OpHandshake or OpResumption), Bound, Limit (times), Window
	CheckAnswered   CheckKind = "answered"    // Bound, Limit (share of the commands), Within
	CheckSpread     CheckKind = "spread"      // Bound, Limit (share of an even part, worst broker)
	CheckHeard      CheckKind = "heard"       // Select, Limit (share of it), Stream, Within, Phase, Edge: a first message came
	CheckState      CheckKind = "state"       // Select, Journey, State, Bound, Limit (devices, at the end)
	CheckAccount    CheckKind = "account"     // Column of the account of messages, Bound, Limit (messages)
	CheckFailures   CheckKind = "failures"    // Fleet, Bound, Limit (times, or share if Share): operations that failed
	CheckReaches    CheckKind = "reaches"     // From, Select: what one fleet sends reaches each device that subscribes to it
	CheckShared     CheckKind = "shared"      // From, Select: what one fleet sends reaches exactly one member of each shared group
	CheckReceives   CheckKind = "receives"    // Select, Column ("lost" or "duplicated"): what subscribing devices got
	CheckLate       CheckKind = "late"        // From, Within: who subscribes late gets the last retained value of each topic
	CheckWills      CheckKind = "wills"       // Select, Within: each will that is due comes once, in time, and none before
	CheckNoWill     CheckKind = "no-will"     // Select: no will is published
	CheckOneSession CheckKind = "one-session" // none: no device was taken over while it was connected, and none had two connections
	CheckNotTaken   CheckKind = "not-taken"   // Select: no session of these devices was taken over
	CheckAdmitted   CheckKind = "admitted"    // none: of each lost message the brokers say that they dropped it
	CheckUsage      CheckKind = "usage"       // Service, Column ("cpu" or "memory"), Bound, Limit (processors, or bytes), Window: the most that it used
	CheckFigure     CheckKind = "figure"      // Service, Figure, Bound, Limit, Window: the highest value that it told; with Exactly, the last
	CheckAsked      CheckKind = "asked"       // Service, Bound, Limit (calls a second, in the busiest), Window: how often it was asked
	CheckCarries    CheckKind = "carries"     // Bound, Limit (devices of Plan.Search's fleet, at which all its objectives held)
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
	Journey  Journey      `json:"journey,omitempty"`
	State    State        `json:"state,omitempty"` // of Journey
	Phase    string       `json:"phase,omitempty"`
	Edge     string       `json:"edge,omitempty"` // "starts" or "ends"
	QoS      *byte        `json:"qos,omitempty"`  // nil is any
	Errors   []ErrorLimit `json:"errors,omitempty"`
	Act      int          `json:"act,omitempty"`
	Column   string       `json:"column,omitempty"`   // its name in the account, as "dropped"
	From     string       `json:"from,omitempty"`     // a fleet that sends
	Stream   string       `json:"stream,omitempty"`   // its name, as [Fleet.Streams] has it
	Fleet    string       `json:"fleet,omitempty"`    // empty is all
	Service  string       `json:"service,omitempty"`  // of the target
	Figure   string       `json:"figure,omitempty"`   // the name that the service has for it
	Answered bool         `json:"answered,omitempty"` // the percentile is one of the answers alone
	Lacks    string       `json:"lacks,omitempty"`    // why it cannot be judged on the plan's target; empty if it can
}

// ErrorLimit allows a class of errors, up to Share of all operations or up to Count.
type ErrorLimit struct {
	Outcome Outcome `json:"outcome"`
	Share   float64 `json:"share,omitempty"`
	Count   int     `json:"count,omitempty"`
	IsShare bool    `json:"is_share,omitempty"`
}
