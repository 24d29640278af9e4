package reports

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Schema is the version of summary.json and of the other files of a result folder.
const Schema = 1

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

// UsageStretch is the time over which the CPU of a service is averaged: shorter peaks say little of it.
const UsageStretch = 5 * time.Second

// Result is one story's run.
type Result struct {
	Plan     *sim.Plan
	Verdict  Verdict
	Reasons  []string  // why invalid, not judged or aborted
	T0       time.Time // the run's origin
	Length   sim.Instant
	Phases   []ledger.PhaseSpan
	Events   []ledger.Event
	Fleets   []FleetResult
	Messages ledger.Totals
	Commands *ledger.CommandTotals // nil: none was sent
	Streams  []StreamResult        // of fleets that have more than one
	Hearings []HearingResult       // what subscribing devices were entitled to, and got
	Heard    []ledger.Heard        // subscribing devices whose account is not clean, the worst first
	Wills    []WillResult          // of fleets whose devices leave wills
	Sessions []SessionResult       // of fleets that report by MQTT
	Journeys []JourneyResult       // of which the run kept account
	Latency  []LatencyRow          // response times
	Lag      Quantiles
	Errors   []ErrorClass
	Remarks  []ErrorClass // no failures, but worth a word
	Findings []Finding    // guards first, then the Thens in the story's order
	Frames   []Frame      // by second, then fleet
	Devices  []ledger.Evidence
	Hists    []TaggedHist

	Endpoints      []EndpointLoad   // by scheme, in the target's order; nil if they are not known
	Drops          []ledger.Drops   // by the brokers' own count, of those that count
	Usage          []ledger.Usage   // what the target's services used of this machine, of those that tell
	Figures        []ledger.Figures // what services told of themselves, of those that a claim names
	DevicesOmitted int              // devices whose account is not clean that Devices does not list
}

// StreamResult is the account of one stream of a fleet.
type StreamResult struct {
	Fleet    string        `json:"fleet"`
	Stream   string        `json:"stream"` // "report", "commands", "answers", "health" ...
	Topic    string        `json:"topic"`
	Down     bool          `json:"down,omitempty"` // Myriad sent it to the devices
	Messages ledger.Totals `json:"messages"`
}

// HearingResult is what the devices of a fleet, or the members of a shared group, heard of a stream of a fleet.
type HearingResult struct {
	From   string   `json:"from"`
	Stream string   `json:"stream"`
	To     []string `json:"to"` // one fleet, but for a group
	ledger.Hearing
}

// WillResult is the account of the wills of a fleet's devices.
type WillResult struct {
	Fleet string `json:"fleet"`
	ledger.Wills
}

// JourneyResult is what became of the journeys of a kind of a fleet's devices.
type JourneyResult struct {
	Fleet string `json:"fleet"`
	ledger.Flow
}

// FleetResult is one fleet's part.
type FleetResult struct {
	Name          string
	Devices       int
	ConnectedPeak int
	Protocol      string // "MQTT 5, QoS 1"
	Model         string // "open: one report every 1s" and the like
	Messages      ledger.Totals
	Unobserved    string // why nothing is known about what arrived; empty if it is known
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
	Check               *sim.Check
	Verdict             Verdict
	Value               float64 // in Unit; infinite where it falls among operations that were never answered, or what it waits for never came
	Limit               float64
	Margin              float64 // negative when the claim does not hold
	N                   int64   // samples, messages or devices behind Value
	Unanswered, LeftOut int64   // of latencies: see [Quantiles]
	Unit                string  // "s", "messages", "%", "1/s", "devices", "times", ""
	Note                string  // what makes the value readable: "3 devices of "meters" never came back: meters-7 ..."
}

// Judged reports whether the finding has figures: one that was not judged has none, and neither has a sentence that a
// run did not come to, whose unit is not known.
func (f *Finding) Judged() bool {
	return f.Verdict != NotJudged && !(f.Verdict == Aborted && f.Unit == "" && f.N == 0)
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

	BytesSent     uint64 `json:"bytes_sent"` // by devices: see [sim.Traffic]
	BytesReceived uint64 `json:"bytes_received"`
}

// TaggedHist is a histogram of microseconds for hist.hlog. Tag is "op/measure/fleet/phase", with
// "-" for all; measure is response, service or lag.
type TaggedHist struct {
	Tag  string
	Hist *hdrhistogram.Histogram
}
