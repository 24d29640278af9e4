// Package specimen lets a real CoAP client library be devices: plgd-dev/go-coap/v3 ([GoCoAP]), over UDP,
// as a [sim.Dialer].
//
// A fleet of it shows what the library does under stress, and at its own cost: its goroutines, its
// buffers, its tick. What is made by hand here is only the adapter to [sim.Conversation]. A confirmable
// report is a POST or PUT that blocks a goroutine of its own, as a user of the library would have it; a
// non-confirmable one is written at once. The options that are set are the binding's transmission
// parameters and block size, that the socket is closed with the connection, and who is told of errors.
//
// These are the traps that were found (v3.5.4):
//
//   - It repeats what is not acknowledged at multiples of ACK_TIMEOUT without a random factor, and looks only
//     every four seconds: clients that start together repeat together. Its tick is a goroutine per client,
//     which sleeps on for up to four seconds after the client was closed.
//   - Having given up it tells its error callback only; the request waits for its context. Here that
//     ends at MAX_TRANSMIT_WAIT (RFC 7252 section 4.8.2), the wait for a separate response included.
//   - With MAX_RETRANSMIT 0 the tick forgets whatever is unanswered, the first ping among it: its answer is dropped.
//   - It takes a reset for an acknowledgement, and waits for the response until the context ends: the
//     outcome is CoAPTimeout, never CoAPReset.
//   - An ICMP error read from the socket closes the client for good, and so does one datagram that it cannot
//     decode. The requests fail with "connection was closed: context canceled", and the reason comes
//     after that, to the error callback. An ICMP error that a write meets is that request's only.
//   - Ping does not notice that the client was closed and waits for its context.
//   - NON requests do not count towards NSTART. Requests in parallel need LimitClientParallelRequest and
//     LimitClientEndpointParallelRequest raised beside NSTART.
//   - WriteMessage, which is the way to send a NON, leaves out the first block of a request that needs blocks.
//     Here such a report is confirmable, and nobody is told what became of it.
//   - Message ids and tokens are random: the seed does not determine them.
//
// It does not tell how often it sent a message: Attempts is 1. Nothing is observed, no commands are
// taken, and there is neither DTLS nor TCP: [GoCoAP.Check] refuses such bindings in words, and Dial by LocalOther.
//
// Goroutines belong to the library, but for one of each unanswered confirmable message. All have ended
// when Close returns, or are about to; the tick ends within its four seconds.
package specimen
