// Package mqtt is the MQTT channel, versions 3.1.1 and 5: the conversation that a virtual device
// holds with a broker, and the [Subscriber] that a probe listens with at the far end.
//
// The session machinery of the device is made by hand because it is what the project rehearses,
// and because a client library costs ten times the memory: a [Dialer]'s conversation is one heap
// object of about 500 bytes that starts no goroutine and no timer. The goroutine of its device
// calls Publish and Wait, and blocks in Read until the next thing it has to do is due: the read
// deadline is the clock, of the device and of the protocol. Interrupt moves that deadline.
//
// Packets are encoded and decoded by mochi's packets, with exceptions, each told where it is: the
// remaining length, the PUBLISH of either direction, an acknowledgement without properties, and the
// reason code of a DISCONNECT. How deep the stack is while a device waits decides what the device costs,
// so what waits and what handles packets are functions that are never on it together.
//
// Subscriber is built on paho, which may complete a token for something that never happened. So
// only the SUBACK's own codes count as a subscription, and a lost connection ends the paho client:
// the next one is a new client with the old identifier. Run owns every goroutine.
//
// Durations are time.Duration; keep-alive and session expiry go on the wire in seconds, rounded up.
package mqtt
