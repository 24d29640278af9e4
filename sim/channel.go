package sim

import (
	"context"
	"time"
)

// Message is one report on its way out. Payload is valid only during the call it is passed to.
type Message struct {
	Seq     uint32
	Topic   string // MQTT topic name, or CoAP Uri-Path without the leading slash
	Payload []byte
	QoS     byte // MQTT 0 or 1; CoAP 0 is NON, 1 is CON
	Resend  bool // it was sent before on an earlier connection
}

// EventKind is what a conversation has to tell.
type EventKind uint8

// The events.
const (
	EventNone   EventKind = iota // the deadline passed or the wait was interrupted
	EventAcked                   // message Seq was acknowledged
	EventFailed                  // message Seq will not be: Outcome says why; the conversation goes on
	EventDown                    // the conversation is over: Outcome says why
)

// Event is one thing that happened to a conversation.
type Event struct {
	Kind     EventKind
	Seq      uint32
	Outcome  Outcome
	Attempts uint16    // transmissions of message Seq, where the channel repeats them itself
	At       time.Time // when it had been read
}

// Conversation is an open session of a device with its peer: an MQTT network connection after
// CONNACK, or a CoAP socket after the pong. All methods but Interrupt belong to the one goroutine
// of the device. It starts no goroutine.
type Conversation interface {
	// Publish hands m to the kernel (OK). QoS 0 messages are done then; others are answered by a
	// later EventAcked or EventFailed with the same Seq. MQTTPubackError means that m was refused
	// without being sent and the conversation goes on; after any other failure the next Wait
	// returns EventDown, but for LocalOther without Room, which is the
	// caller's mistake and changes nothing.
	Publish(m *Message) Outcome

	// Wait blocks until an event, until the deadline, or until Interrupt. It serves the
	// protocol's own timers (keep-alive, retransmission) meanwhile.
	Wait(deadline time.Time) Event

	// Close ends the conversation: properly (DISCONNECT) or, as a power loss, without a word.
	// The peer of an abrupt close sees silence at the MQTT level, never a DISCONNECT.
	Close(abrupt bool)
}

// Interrupter makes a Wait that is blocked, or the next one, return at once. Interrupt may be
// called from any goroutine, also after Close.
type Interrupter interface{ Interrupt() }

// Windowed conversations bound how many messages may be unanswered.
type Windowed interface{ Room() int }

// Facts are what a channel learned while it opened a conversation.
type Facts struct {
	Opened         time.Time // transport connected
	Established    time.Time // CONNACK or pong read
	SessionPresent bool
	Reason         byte // CONNACK code
	Interrupter    Interrupter
}

// Caller is who opens a conversation.
type Caller struct {
	ID       string
	Ordinal  Ordinal
	Key      uint64 // the device's stream key
	Endpoint string // host:port
	Attempt  int    // counts the device's calls, from 0; it keeps message ids and tokens of two calls apart
}

// Dialer opens conversations for the devices of one binding. Dial blocks at most the binding's
// connect timeout, starts no goroutine that outlives it, and may be called from many goroutines.
type Dialer interface {
	Dial(ctx context.Context, c *Caller) (Conversation, Facts, Outcome)
}
