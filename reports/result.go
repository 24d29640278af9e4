package reports

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/myriad-iot/myriad/sim"
)

// Schema is the version of summary.json and of the other files of a result folder.
const Schema = 1

// Verdict is what a run says of a story, or a finding of a sentence.
type Verdict string

// The verdicts. Invalid means that the simulator, not the target, was the limit; it is never a pass.
const (
	Passed    Verdict = "passed"
	Failed    Verdict = "failed"
	Invalid   Verdict = "invalid"
	NotJudged Verdict = "not judged"
	Aborted   Verdict = "aborted"
)

// Run is everything one command did: its circumstances and a result per story.
type Run struct {
	Info    Info
	Stories []*Result
}

// Info says where, when and with what a run was made. It is run.json.
type Info struct {
	Schema    int               `json:"schema"`
	Version   string            `json:"version"`
	GoVersion string            `json:"go_version"`
	Started   time.Time         `json:"started"`
	Ended     time.Time         `json:"ended"`
	Command   []string          `json:"command"` // runs it again, seed included
	Seed      uint64            `json:"seed"`
	Scale     float64           `json:"scale"`
	Host      Host              `json:"host"`
	Target    map[string]string `json:"target"` // kind, address, image, digest
	Plans     []string          `json:"plans"`  // hash of each story's plan
	Workers   []Carrier         `json:"workers,omitempty"`
}

// Carrier is a process that carried devices.
type Carrier struct {
	Story       int    `json:"story"` // from 1
	Host        string `json:"host"`
	Pid         int    `json:"pid"`
	CPUs        int    `json:"cpus"`
	Descriptors int    `json:"descriptors"`
	Capacity    int    `json:"capacity"` // devices
	Shards      []int  `json:"shards"`
	Taken       []int  `json:"taken,omitempty"`          // shards that it took over from workers that were lost
	ClockBound  int64  `json:"clock_bound_ns,omitempty"` // how far its clock may be off the coordinator's
	Lost        string `json:"lost,omitempty"`           // why it was given up
}

// Host is the machine that carried the fleet.
type Host struct {
	Name        string `json:"name"`
	OS          string `json:"os"`
	Kernel      string `json:"kernel"`
	CPUs        int    `json:"cpus"`
	MemoryBytes uint64 `json:"memory_bytes"`
	Descriptors uint64 `json:"descriptors"`
}

// Result is one story's run.
type Result struct {
	Plan     *sim.Plan
	Verdict  Verdict
	Reasons  []string  // why invalid, not judged or aborted
	T0       time.Time // the run's origin
	Length   sim.Instant
	Phases   []PhaseSpan
	Events   []Event
	Fleets   []FleetResult
	Messages Totals
	Commands *CommandTotals // nil: the plan sends none
	Latency  []LatencyRow   // response times
	Lag      Quantiles
	Errors   []ErrorClass
	Findings []Finding // guards first, then the Thens in the story's order
	Frames   []Frame   // by second, then fleet
	Devices  []DeviceLedger
	Hists    []TaggedHist

	Endpoints      []EndpointLoad // by scheme, in the target's order; nil if they are not known
	DevicesOmitted int            // devices whose account is not clean that Devices does not list
}

// PhaseSpan is a named stretch of the timeline.
type PhaseSpan struct {
	Name  string      `json:"name"`
	Start sim.Instant `json:"start_ns"`
	End   sim.Instant `json:"end_ns"`
}

// Event is something that happened once: a phase edge, a fault, a service that came back.
type Event struct {
	At     sim.Instant `json:"at_ns"`
	Kind   string      `json:"kind"` // the act's kind, or "started", "service-up", "interrupted", ...
	Text   string      `json:"text"`
	Origin string      `json:"origin,omitempty"`
}

// FleetResult is one fleet's part.
type FleetResult struct {
	Name          string
	Devices       int
	ConnectedPeak int
	Protocol      string // "MQTT 5, QoS 1"
	Model         string // "open: one report every 1s" and the like
	Messages      Totals
	Unobserved    string // why nothing is known of what arrived; empty when it is
}

// Totals are the ledger's columns. Due = Sent + Dropped + Unsent. Lost, Unknown and Unsettled are
// disjoint parts of Sent: a lost message was acknowledged (or is QoS 0) and was seen nowhere at
// the far end; an unknown one was never acknowledged and never seen.
type Totals struct {
	Due         uint64    `json:"due"`
	Sent        uint64    `json:"sent"`
	Acked       uint64    `json:"acked"`
	Received    uint64    `json:"received"`  // distinct messages of those sent that a subscriber received
	Stored      uint64    `json:"stored"`    // distinct messages that the backend recorded
	Delivered   uint64    `json:"delivered"` // received or stored
	Lost        uint64    `json:"lost"`
	Duplicated  uint64    `json:"duplicated"` // copies beyond the first, in whichever channel of the device had more
	Reordered   uint64    `json:"reordered"`  // first copies that arrived after a later message of their device
	Unknown     uint64    `json:"unknown"`
	Unsettled   uint64    `json:"unsettled"` // acknowledged so shortly before the end that they may be on their way
	Resent      uint64    `json:"resent"`
	Dropped     uint64    `json:"dropped"`                  // fell out of a full buffer
	Unsent      uint64    `json:"unsent"`                   // in the buffer at the end
	Phantom     uint64    `json:"phantom"`                  // seen, and never sent
	Undelivered uint64    `json:"undelivered"`              // stored, but no subscriber received it
	Gone        uint64    `json:"simulator_lost,omitempty"` // came due before another worker took their device over: not in Due, neither lost nor delivered
	LostQoS     [3]uint64 `json:"lost_by_qos"`
	SentQoS     [3]uint64 `json:"sent_by_qos"`

	UnsettledQoS [3]uint64 `json:"unsettled_by_qos"`
}

// Quantiles sum up a histogram, in seconds.
type Quantiles struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p99_9"`
	Max   float64 `json:"max"`
	Mean  float64 `json:"mean"`
}

// LatencyRow is the latency of one operation: of the whole run (Fleet and Phase empty), of a
// fleet, of a phase, or of both. Service is the time without the wait before the send.
type LatencyRow struct {
	Op       sim.Op    `json:"op"`
	Fleet    string    `json:"fleet,omitempty"`
	Phase    string    `json:"phase,omitempty"`
	Response Quantiles `json:"response"`
	Service  Quantiles `json:"service"`
}

// ErrorClass is one class of failed operations.
type ErrorClass struct {
	Class   string      `json:"class"` // "tcp connection refused"
	Op      string      `json:"op"`
	Count   uint64      `json:"count"`
	WarmUp  uint64      `json:"warm_up,omitempty"` // of Count, those due in the warm-up
	First   sim.Instant `json:"first_ns"`
	Last    sim.Instant `json:"last_ns"`
	Devices []string    `json:"devices"` // up to five, the first seen
}

// Finding is a judged sentence.
type Finding struct {
	Check   *sim.Check
	Verdict Verdict
	Value   float64 // in Unit
	Limit   float64
	Margin  float64 // negative when the claim does not hold
	N       int64   // samples, messages or devices behind Value
	Unit    string  // "s", "messages", "%", "1/s", "devices", "times", ""
	Note    string  // what makes the value readable: "3 devices of "meters" never came back: meters-7 ..."
}

// Frame is one second of one fleet. Latencies belong to the second in which the message was due;
// counters to the second in which the thing happened.
type Frame struct {
	Second    int                  `json:"t"`
	Fleet     string               `json:"fleet"`
	Due       uint64               `json:"due"`
	Sent      uint64               `json:"sent"`
	Resent    uint64               `json:"resent"`
	Dropped   uint64               `json:"dropped"`
	Attempts  uint64               `json:"attempts"`
	Acked     uint64               `json:"acked"`
	Received  uint64               `json:"received"`
	Stored    uint64               `json:"stored"`
	Errors    uint64               `json:"errors"`
	Connected int64                `json:"connected"` // at the second's end
	Backlog   int64                `json:"backlog"`   // buffered or unanswered, at the second's end
	Latency   map[string]Quantiles `json:"latency,omitempty"`
	Lag       Quantiles            `json:"lag"`
}

// DeviceLedger is the evidence for one device whose account is not clean. Ranges are inclusive
// "a-b" lists of sequence numbers.
type DeviceLedger struct {
	Device     string `json:"device"`
	Due        uint64 `json:"due"`
	Lost       string `json:"lost,omitempty"`
	Unknown    string `json:"unknown,omitempty"`
	Unsettled  string `json:"unsettled,omitempty"`
	Phantom    string `json:"phantom,omitempty"`
	Duplicated uint64 `json:"duplicated,omitempty"`
	Reordered  uint64 `json:"reordered,omitempty"`
	Dropped    uint64 `json:"dropped,omitempty"`
	Unsent     uint64 `json:"unsent,omitempty"`
}

// TaggedHist is a histogram of microseconds for hist.hlog. Tag is "op/measure/fleet/phase", with
// "-" for all; measure is response, service or lag.
type TaggedHist struct {
	Tag  string
	Hist *hdrhistogram.Histogram
}
