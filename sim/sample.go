package sim

import "fmt"

// Op is what was measured: the {metric} of a story.
type Op uint8

// The operations. Publish is answered by the peer (PUBACK, PUBCOMP, or the response to a CON);
// end-to-end is received by a subscriber; storage is recorded by the backend. A command's latency is
// from the instant that it was due until its answer came back; observe is the way down alone, until
// the device had it. Delivery is what a subscribed device received of other devices' messages.
const (
	OpConnect Op = iota
	OpPublish
	OpEndToEnd
	OpStorage
	OpCommand
	OpObserve
	OpDelivery
	OpPubrec     // QoS 2: from PUBLISH written to PUBREC read
	OpPubcomp    // QoS 2: from PUBREL written to PUBCOMP read
	OpHandshake  // a full TLS or DTLS handshake
	OpResumption // an abbreviated one
	OpConnecting // a journey: from its cause until the device is connected, with all calls and waits
	NumOps
)

func opNames() [NumOps]string {
	return [...]string{
		OpConnect: "connect", OpPublish: "publish", OpEndToEnd: "end-to-end", OpStorage: "storage",
		OpCommand: "command", OpObserve: "observe", OpDelivery: "delivery",
		OpPubrec: "pubrec", OpPubcomp: "pubcomp", OpHandshake: "handshake", OpResumption: "resumption",
		OpConnecting: "connecting",
	}
}

// String is the operation's name in stories.
func (o Op) String() string {
	if o < NumOps {
		return opNames()[o]
	}
	return fmt.Sprintf("op(%d)", uint8(o))
}

// ParseOp finds an operation by its name.
func ParseOp(name string) (Op, bool) {
	for o := range NumOps {
		if o.String() == name {
			return o, true
		}
	}
	return 0, false
}

// MarshalText implements encoding.TextMarshaler.
func (o Op) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Op) UnmarshalText(text []byte) error {
	v, ok := ParseOp(string(text))
	if !ok {
		return fmt.Errorf("unknown metric %q", text)
	}
	*o = v
	return nil
}

// Sample is one finished act of a device. Response is Done-Due, service Done-Sent, lag
// Sent-max(Due, Ready); they are never mixed, and objectives use response.
type Sample struct {
	Op       Op
	Fleet    uint16
	Endpoint uint16 // number of the endpoint that it was done at (see Endpoints.Number), 0 if it has none
	Device   Ordinal
	Due      Instant // when it was intended
	Ready    Instant // when the device could do it: connected and with room in its window
	Sent     Instant // when its write to the kernel began
	Done     Instant // when the answer had been read
	Outcome  Outcome
	Attempts uint16 // transmissions; 1 when it went through at once
	Ending   Ending

	// Unanswered says that nobody answers such an operation (QoS 0, NON): it has a lag, and no
	// response time.
	Unanswered bool
}

// Ending says of an act without an answer what that means for all that was due.
type Ending uint8

// The endings.
const (
	Ended  Ending = iota // with this outcome: but for OK it never gets an answer, so it is slower than any limit
	Tried                // one attempt failed, and the act goes on
	Missed               // it never gets an answer; its attempts were recorded as they failed
	CutOff               // the story ended it, by power or connection, before anybody knew: neither in time nor late
)

// Counter is something that is counted at the instant at which it happens.
type Counter uint8

// The counters.
const (
	CountDue     Counter = iota // a message came due
	CountSent                   // a message was first handed to the kernel
	CountResent                 // a message was handed to the kernel again
	CountDropped                // a message was dropped from a full buffer
	CountAttempt                // a connection was attempted
	CountRebind                 // a device got a new source address
	NumCounters
)

// Recorder takes what devices and probes observe. Its methods may be called from many goroutines,
// do not block for long and do not keep s. Endpoints have numbers: see [Endpoints.Number].
type Recorder interface {
	Record(s *Sample)
	Count(c Counter, fleet, endpoint uint16, at Instant)
	Link(fleet, endpoint uint16, o Ordinal, up bool, at Instant) // a device's connection was established or lost
}

// Sighting is a message seen at the far end.
type Sighting struct {
	Stamp  Stamp
	At     Instant
	Stored bool // recorded by the backend, rather than received by a subscriber
}

// Witness takes sightings. See may be called from several goroutines.
type Witness interface{ See(s Sighting) }
