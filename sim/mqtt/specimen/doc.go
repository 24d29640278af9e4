// Package specimen lets real MQTT client libraries be devices: eclipse/paho.mqtt.golang ([Paho], MQTT
// 3.1.1) and eclipse/paho.golang ([PahoGolang], MQTT 5), each as a [sim.Dialer].
//
// A fleet of them shows what such a library does under stress, and at its own cost: its goroutines,
// its buffers, its store. What is made by hand here is only the adapter to [sim.Conversation]: a queue
// of events that Wait takes from, for the libraries call back on goroutines of their own. Nothing is
// pooled, and no option is set that a plain user of the library would not set, but one: the library
// does not reconnect by itself. The device does, by its own policy, so that clients can be compared.
//
// Where the binding keeps a session, so does the library: its store outlives the connection in the
// Dialer, by the device's identifier, and the library resends by itself what was not answered, before
// the device asks. Such a message of the device (Resend, with the ID of then) is found there and not
// sent again.
// A client subscribes as Myriad's own does: unless the session is present that it had subscribed in. mochi
// refuses a SUBSCRIBE whose identifier a message in flight towards the device has (0x91), which is another's.
//
// An acknowledgement is what the library's own session state takes for one: the removal from its
// store (paho), or the packet that its session manager is given (paho.golang). The tokens are no
// witness, and these are the traps that were found:
//
//   - paho completes a publish token without an error when it resends the message on a new connection:
//     claimID lets the old token go, and whoever waits for it believes in an acknowledgement.
//   - paho keeps no PUBREL: after a reconnection it sends a QoS 2 PUBLISH again whose PUBREC had come,
//     and so there is no EventReceived from it, and no message is ever Released. Its default store
//     has no order either: what is resent comes as a Go map likes it.
//   - paho does not call OnConnectionLost when it was the transport that its user closed.
//   - paho has Publish wait up to 30 s for a writer that is stuck, unless WriteTimeout is set; here it
//     is the connect timeout. It looks at keep-alive four times an interval, or every five seconds.
//   - paho ignores a DISCONNECT from the server and reports the end of file after it.
//   - paho.golang sends a PINGREQ at once after CONNACK, and waits a whole keep-alive for the answer.
//   - paho.golang may tell of the end that it made of its connection before it tells why.
//   - paho.golang answers a PUBREC on a connection that another of its goroutines sets to nil when it is
//     lost. That is a panic of the whole process, and the one thing that is kept from happening here.
//   - paho.golang makes room for 65,535 inbound messages, 512 KiB of address space a client, unless
//     its user announces a Receive Maximum.
//   - paho.golang returns from Publish with the deadline's error while the message stays in its
//     session and may be delivered yet. AsyncSend does not say what became of it.
//
// Inbound messages wait in a queue without bound, for a handler that blocked would stop paho from
// reading at all; the libraries acknowledge them when the handler returns.
//
// Goroutines belong to the library and have ended, or are about to, when Close returns.
package specimen
