// Package specimen runs devices on real MQTT client libraries: eclipse/paho.mqtt.golang ([Paho], MQTT
// 3.1.1) and eclipse/paho.golang ([PahoGolang], MQTT 5), each as a [sim.Dialer].
//
// Such a fleet shows how a library behaves under stress, and what it costs: its goroutines, its buffers,
// its store. Our code is only the adapter to [sim.Conversation]: a queue of events that Wait reads, because
// the libraries call back on their own goroutines. Nothing is pooled, and only one option differs from what
// a normal user of the library would set: the library does not reconnect by itself. The device reconnects,
// by its own policy, so that clients can be compared.
//
// If the binding keeps a session, the library does too: the Dialer keeps the library's store after the end
// of the connection, by the device's identifier. The library itself resends what was not answered, before
// the device asks for it. When the device then publishes such a message again (Resend, with its earlier
// ID), the adapter finds it in the store and does not send it again.
//
// A client subscribes like Myriad's own: always, except in a resumed session in which it subscribed before.
// mochi refuses a SUBSCRIBE (0x91) if a message in flight to the device has the same packet identifier,
// although the identifiers of the two directions are independent.
//
// A message counts as acknowledged when the library's own session state says so: when it is removed from
// the store (paho), or when the session manager gets the packet (paho.golang). The libraries' tokens are
// not reliable. These problems were found:
//
//   - paho completes a publish token without an error when it resends the message on a new connection:
//     claimID completes the old token, and who waits for it takes that for an acknowledgement.
//   - paho keeps no PUBREL: after a reconnection it sends a QoS 2 PUBLISH again whose PUBREC had come,
//     and so there is no EventReceived from it, and no message is ever Released. Its default store
//     has no order either: messages are resent in the random order of a Go map.
//   - paho does not call OnConnectionLost when its user closed the transport.
//   - paho has Publish wait up to 30 s for a writer that is stuck, unless WriteTimeout is set; here it
//     is the connect timeout. It looks at keep-alive four times an interval, or every five seconds.
//   - paho ignores a DISCONNECT from the server and reports the end of file after it.
//   - paho.golang sends a PINGREQ at once after CONNACK, and waits a whole keep-alive for the answer.
//   - paho.golang may report that it closed its connection before it reports the reason.
//   - paho.golang answers a PUBREC on a connection that another of its goroutines sets to nil when it is
//     lost. That panic would end the whole process. It is the only problem that the adapter prevents.
//   - paho.golang makes room for 65,535 inbound messages, 512 KiB of address space a client, unless
//     its user announces a Receive Maximum.
//   - paho.golang returns from Publish with the deadline's error while the message stays in its
//     session and may still be delivered. AsyncSend does not report whether it was.
//
// Inbound messages wait in a queue without limit, because paho reads nothing while a handler blocks. The
// libraries acknowledge a message when the handler returns.
//
// Goroutines belong to the library and have ended, or are about to, when Close returns.
package specimen
