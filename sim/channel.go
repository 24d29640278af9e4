package sim

import (
	"context"
	"net/netip"
	"time"
)

// Message is one message to send. Payload is valid only during the call that it is passed to.
type Message struct {
	Seq     uint32 // with Stream, it identifies the message in events
	Stream  Stream
	Answer  bool   // it answers a task: CoAP carries it by POST, whatever the method of reports
	Topic   string // MQTT topic name, or CoAP Uri-Path without the leading slash
	Payload []byte
	QoS     byte // MQTT 0, 1 or 2; CoAP 0 is NON, 1 is CON
	Retain  bool // MQTT

	// Resend says that it was sent before on an earlier connection, with the packet identifier ID.
	Resend bool
	// Released says that its PUBREC came on an earlier connection: only PUBREL is due (MQTT-4.3.3).
	Released bool

	// ID is set by Publish to the MQTT packet identifier that it used, 0 if none. Whoever sends the message
	// again on a resumed session passes the same ID.
	ID uint16
}

// Inbound is a message that came for the device: an MQTT PUBLISH, or a CoAP notification. It is valid
// until the next call of the conversation, which has acknowledged it by then or will.
type Inbound struct {
	Topic    []byte // MQTT topic name, or the CoAP path that is observed
	Payload  []byte
	QoS      byte
	Retained bool
	Again    bool // MQTT: DUP was set
}

// EventKind says what happened to a conversation.
type EventKind uint8

// The events.
const (
	EventNone      EventKind = iota // the deadline passed or the wait was interrupted
	EventAcked                      // message Seq was acknowledged; QoS 2: its PUBCOMP came
	EventFailed                     // message Seq will not be: Outcome says why; the conversation goes on
	EventDown                       // the conversation is over: Outcome says why
	EventReceived                   // QoS 2: the PUBREC of message Seq came, and its PUBREL was sent
	EventInbound                    // Inbound came for the device
	EventOversized                  // a packet came that is larger than the device takes, and was thrown away: Outcome
)

// Event is one thing that happened to a conversation. It is passed by pointer: a copy in each frame would take
// a large part of a device's small stack.
type Event struct {
	Kind     EventKind
	Stream   Stream
	Seq      uint32
	Outcome  Outcome
	Nobody   bool      // EventAcked, and EventReceived: the broker said that nobody subscribes (MQTT 5, reason 0x10)
	Attempts uint16    // transmissions of message Seq, where the channel repeats them itself
	At       time.Time // when it had been read
	Inbound  *Inbound  // EventInbound
}

// Conversation is an open session of a device with its peer: an MQTT network connection after
// CONNACK, or a CoAP socket after the pong. All methods but Interrupt belong to the one goroutine
// of the device. It starts no goroutine.
type Conversation interface {
	// Publish hands m to the kernel (OK). QoS 0 messages are done then; others are answered by a
	// later EventAcked or EventFailed with the same Seq, QoS 2 by an EventReceived before an
	// EventAcked unless m was Released. MQTTPubackError and MQTTTooLarge mean that m was refused
	// without being sent and the conversation goes on; after any other failure the next Wait
	// returns EventDown, but for LocalOther without Room, which is the caller's mistake and changes
	// nothing. m.Released is for a session that is present; of one that is not, what had its PUBREC
	// counts as acknowledged: the server took it, and it must not be sent again.
	Publish(m *Message) Outcome

	// Wait blocks until an event, until the deadline, or until Interrupt. It serves the
	// protocol's own timers (keep-alive, retransmission) meanwhile. What it returns is never nil, and
	// valid until the next call.
	Wait(deadline time.Time) *Event

	// Close ends the conversation: with a DISCONNECT or, if abrupt, without one, as a power loss does.
	Close(abrupt bool)
}

// Interrupter makes a Wait that is blocked, or the next one, return at once. Interrupt may be
// called from any goroutine, also after Close.
type Interrupter interface{ Interrupt() }

// Windowed is a conversation that limits how many messages may be unanswered. Room is how many more it takes
// now.
type Windowed interface{ Room() int }

// Parting is a conversation that knows how it ended: when something last came, the keep-alive by which the peer would
// notice that nobody is there any more (0: it would not), and, once it was closed, whether the goodbye was handed to
// the kernel. Only the device's goroutine may ask.
type Parting interface {
	Last() (heard time.Time, keepAlive time.Duration, parted bool)
}

// Rebinder is a conversation that survives a new source address, as DTLS with a Connection ID does.
// Rebind moves it to source, or to a port of the kernel's choice if source is zero; only the device's goroutine
// calls it. After any outcome but OK the next Wait returns EventDown.
type Rebinder interface {
	Rebind(source netip.AddrPort) Outcome
}

// Facts are what a channel learned while it opened a conversation.
type Facts struct {
	Opened         time.Time // transport connected
	Secured        time.Time // TLS or DTLS handshake over; zero where there is none
	Established    time.Time // CONNACK or pong read, subscriptions granted
	Resumed        bool      // the handshake was an abbreviated one
	SessionPresent bool
	Reason         byte    // CONNACK code
	Granted        Outcome // a remark if a subscription was granted with a lower QoS than was asked for: the lowest; else OK
	Redirect       string  // MQTT 5 Server Reference: where the server wants us to go, "host:port"
	Interrupter    Interrupter
}

// Handshaker is a net.Conn that reports its TLS or DTLS handshake, which had ended when the Conn was made: when
// it ended, and whether it was an abbreviated one.
type Handshaker interface {
	Handshake() (over time.Time, resumed bool)
}

// Caller is who opens a conversation.
type Caller struct {
	ID       string
	Ordinal  Ordinal
	Key      uint64 // the device's stream key
	Endpoint string // host:port
	Attempt  int    // counts the device's calls, from 0, so that two calls use different message ids and tokens
	Fleet    uint16
	Copies   *Copies        // whose identity it shows: see Identity; nil: its own
	Source   netip.AddrPort // to call from; zero leaves it to the kernel
	T0       time.Time      // the run's origin; only callers under weather need it
	Traffic  *Traffic       // counts the bytes of its conns; nil: nobody does
}

// Dialer opens conversations for the devices of one binding. Dial blocks at most the binding's
// connect timeout, starts no goroutine that outlives it, and may be called from many goroutines.
type Dialer interface {
	Dial(ctx context.Context, c *Caller) (Conversation, Facts, Outcome)
}
