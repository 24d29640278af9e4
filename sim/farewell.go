package sim

import "fmt"

// Farewell is how a device learned that its peer had ended its connection: the reason code of the peer's DISCONNECT
// (MQTT 5 section 3.14.2.1), or one of those below.
type Farewell uint16

// TakenOver is the reason of a server that was called by another client with the same identifier (MQTT-3.1.4-3).
const TakenOver Farewell = 0x8E

// What is no reason code.
const (
	Wordless Farewell = 0x100 + iota // the connection was closed or reset, or by a DISCONNECT without a reason, as MQTT 3.1.1 does whatever the reason is
	Silent                           // nothing came any more, and the device gave it up: what the peer did is not known
	Unnamed                          // a DISCONNECT came, and the client library does not tell its reason
	NumFarewells
)

// String is what reports say: "session taken over (0x8E)".
func (f Farewell) String() string {
	switch f {
	case Wordless:
		return "closed without a reason"
	case Silent:
		return "silent"
	case Unnamed:
		return "disconnected, and the client does not say why"
	}
	if name, known := reasonNames()[byte(f)]; known && f < Wordless {
		return fmt.Sprintf("%s (0x%02X)", name, uint16(f))
	}
	return fmt.Sprintf("reason 0x%02X", uint16(f))
}

// reasonNames are those of MQTT 5 section 3.14.2.1 that a server may send.
func reasonNames() map[byte]string {
	return map[byte]string{
		0x00: "normal disconnection", 0x80: "unspecified error", 0x81: "malformed packet", 0x82: "protocol error",
		0x83: "implementation specific error", 0x87: "not authorized", 0x89: "server busy", 0x8B: "server shutting down",
		0x8D: "keep alive timeout", 0x8E: "session taken over", 0x8F: "topic filter invalid", 0x90: "topic name invalid",
		0x93: "receive maximum exceeded", 0x94: "topic alias invalid", 0x95: "packet too large", 0x96: "message rate too high",
		0x97: "quota exceeded", 0x98: "administrative action", 0x99: "payload format invalid", 0x9A: "retain not supported",
		0x9B: "QoS not supported", 0x9C: "use another server", 0x9D: "server moved", 0x9E: "shared subscriptions not supported",
		0x9F: "connection rate exceeded", 0xA0: "maximum connect time", 0xA1: "subscription identifiers not supported",
		0xA2: "wildcard subscriptions not supported",
	}
}

// Dismissed is a conversation that knows whether the peer ended it by a DISCONNECT, and with which reason. Only the
// device's goroutine may ask, after EventDown.
type Dismissed interface {
	Dismissal() (reason byte, said bool)
}
