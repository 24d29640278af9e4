package ledger

import "github.com/myriad-iot/myriad/sim"

// Event is something that happened at an instant: an act that began, a service that is ready again, a worker
// that was lost. It is one line of events.jsonl.
type Event struct {
	At     sim.Instant `json:"at_ns"`
	Kind   EventKind   `json:"kind"`
	Text   string      `json:"text"`
	Origin string      `json:"origin,omitempty"` // "features/storm.feature:17"; empty if no sentence asked for it
	Act    int         `json:"act"`              // index in the plan's acts of the act that it belongs to, or NoAct
	Fault  string      `json:"fault,omitempty"`  // the verb of that act's fault: "kill"; empty if it has none
}

// NoAct is the act of an event that belongs to none.
const NoAct = -1

// EventKind is what happened. The list is closed: a new kind is a new constant here. An act that begins
// is an event with the name of its kind (see [Begun]).
type EventKind string

// The kinds of event beside the acts'. Those with (act) belong to one.
const (
	EventServiceDown   EventKind = "service-down"   // (act) a service has ended
	EventServiceUp     EventKind = "service-up"     // (act) it is ready again
	EventServiceFrozen EventKind = "service-frozen" // (act) a service stopped answering, and kept its sockets
	EventServiceThawed EventKind = "service-thawed" // (act) it answers again

	EventServiceLimited EventKind = "service-limited" // (act) it has less CPU
	EventServiceFree    EventKind = "service-free"    // (act) it has its CPU back
	EventFaultFailed    EventKind = "fault-failed"    // (act) something could not be broken or mended
	EventCommandFailed  EventKind = "command-failed"  // (act) commands could not be sent

	EventStoppedEarly EventKind = "stopped-early" // the story's own rule ended the timeline
	EventTimelineEnd  EventKind = "timeline-end"  // no report is due any more
	EventInterrupted  EventKind = "interrupted"   // the user ended the run, or Myriad because it could only be invalid
	EventProbeLost    EventKind = "probe-lost"    // nobody watches the far end any more
	EventProbeAway    EventKind = "probe-away"    // the probe has lost its connection to an endpoint
	EventProbeBack    EventKind = "probe-back"    // its subscription there stands again
	EventProbeStalled EventKind = "probe-stalled" // the probe's process does not run, or did not
	EventSnapshotLost EventKind = "snapshot-lost" // counts of a second could not be added
	EventWorkerLost   EventKind = "worker-lost"   // a worker ended or cannot be reached
	EventTakenOver    EventKind = "taken-over"    // devices of a lost worker continue in another
)

// Begun is the kind of the event that an act of kind a began.
func Begun(a sim.ActKind) EventKind { return EventKind(a) }

// ActBegun returns the act of p that e says has begun, and its index; nil if e says something else.
func (e *Event) ActBegun(p *sim.Plan) (*sim.Act, int) {
	if e.Act < 0 || e.Act >= len(p.Acts) || e.Kind != Begun(p.Acts[e.Act].Kind) {
		return nil, NoAct
	}
	return &p.Acts[e.Act], e.Act
}
