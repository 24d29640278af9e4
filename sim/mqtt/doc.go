// Package mqtt is the MQTT channel, versions 3.1.1 and 5: the conversation that a virtual device
// holds with a broker, and the [Subscriber] that a probe listens with at the far end.
//
// The session handling of the device is our own code because it is what the project rehearses, and
// because a client library needs ten times the memory: the conversation of a [Dialer] is one heap object
// of about 500 bytes that starts no goroutine and no timer. The goroutine of its device calls Publish and
// Wait, and blocks in Read until its next task is due: the read deadline is the only timer, both for the
// device and for the protocol. Interrupt moves that deadline.
//
// Packets are encoded and decoded by mochi's package packets, with these exceptions, each explained where
// it is: the remaining length, the PUBLISH of either direction, an acknowledgement without properties, and
// the reason code of a DISCONNECT. The depth of the stack while a device waits decides how much memory the
// device needs, so functions that wait and functions that handle packets are never on the stack together.
//
// Subscriber is a conversation of the same kind with a larger buffer: one goroutine, and nothing is allocated
// for a message. Only the SUBACK's own codes count as a subscription, and a new connection counts as up when
// they are there again, or the broker has resumed the session in which they were. Run owns every goroutine.
//
// Durations are time.Duration; keep-alive and session expiry go on the wire in seconds, rounded up.
package mqtt
