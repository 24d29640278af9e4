// Package coap is the CoAP channel of device fleets: a [Dialer] opens conversations over UDP, one
// socket per device, because a plain CoAP server knows a device by its address only.
//
// The message layer is our own and follows RFC 7252 to the letter: exponential retransmission
// with a random factor (4.2, 4.8), reset and piggybacked, separate and reordered responses (4.2,
// 5.2), deduplication (4.5), NSTART (4.7). That of go-coap does none of this exactly: it repeats
// every 4 s without jitter, ignores a reset, and closes on the first ICMP error. A fleet that used it would
// show how the library behaves, not the protocol. Its codec reads what comes; what a device sends is
// written here, see encode and Stream.encode.
//
// What is sent. A report is a POST to Message.Topic, split at '/' into Uri-Path options and, after
// a '?', at '&' into Uri-Query options. QoS 1 is a confirmable message, answered by an event; QoS 0
// is a non-confirmable one, done once written: its response is ignored. PROBING_RATE is not
// enforced: the story says how often a device sends.
// A payload above the block size travels in confirmable blocks (RFC 7959) and is one report.
//
// How a confirmable message ends. A 2.xx response acknowledges it; any other is a failure by its
// class, a reset one at once, and silence one after MAX_RETRANSMIT repetitions, at
// t0*(2^(MAX_RETRANSMIT+1)-1) after the first. An empty acknowledgement ends the repetitions, and
// the response proper may then take MAX_TRANSMIT_WAIT. ICMP errors are no proof (the peer may be
// restarting): they are noted, the socket stays and the repetitions go on. The outcome is "unreachable" only
// if nothing else came until the end.
//
// Stricter than the RFC on one point: a message occupies its NSTART slot until the response, not
// only until the acknowledgement, so that a device's state is bounded whatever the peer does.
//
// Randomness. Timeouts, tokens and message ids are pure functions of the device's key, the attempt
// and a counter: the same seed gives the same datagrams at the same distances. No token is used
// twice in a device's life, and no message id twice within EXCHANGE_LIFETIME (247 s by default): a
// conversation that spends ids faster than that (232 a second, for long) has no room meanwhile.
//
// DTLS. pion makes the handshake, in goroutines that end with it, and its exported state is taken over by
// a record layer of our own, because a pion connection is two goroutines and 29 KB for as long as it
// lives; here the device's goroutine reads the socket itself. That layer has what RFC 6347 and 9146 ask of
// a client whose peer does not renegotiate: AES-CCM and AES-GCM, a replay window, the peer's Connection ID,
// alerts, and the last flight again if the peer asks for it. [Conversation.Rebind] moves it to another address.
//
// TCP and TLS (RFC 8323). A [StreamDialer] opens a [Stream], which shares with the datagrams' [Conversation]
// whatever is not about datagrams: what is observed, what travels in blocks, tokens, pauses. Its framing is
// written here because the codec's allocates and has no long tokens; those are used only with a peer whose
// CSM allows them (RFC 8974 section 2.2.1). A payload is cut if it is longer than the peer's
// Max-Message-Size, or than the binding's block size: in BERT if the peer knows it and the binding says
// nothing, else in plain blocks, also for a peer that says nothing of blocks. Notifications are taken in the
// order of their arrival, whatever their numbers, and nothing is registered again while the connection lives.
//
// Observing (RFC 7641). The response to a registration is always fresh, whatever its number; of notifications
// over UDP those are fresh of which section 3.4 says so. A representation whose ETag the device has had already
// is not reported to it again. A device registers again 5 to 15 seconds after Max-Age (section 3.3.1), and as
// long after an answer that grants nothing or after the end of a relation; the time doubles with each failure in
// a row, up to 32 times the first.
// Whatever the peer says, a path is registered for at most three times in any minute, and not twice in five
// seconds, and registrations and fetches of blocks leave three quarters of the message ids to reports.
//
// Fetching. A dialer also opens a [Line]: a conversation that has no reports, with a socket of its own, for
// requests of any method whose answers are handed on as they come (RFC 7959, by Block2; by Block1 where the
// request is long). A block is asked for when the one before it is there, with a token of its own, and repeated
// like any confirmable message. A smaller block size of the server's is taken over; entity tags are compared; an
// offset is asked for by the number of its block. Over TCP a representation of up to 8 KB comes in one message, and
// a longer one in BERT blocks. A server that knows the blocks of a POST's response only by the token of its first
// one (go-coap's) cannot be used for those.
//
// Moving. A plain UDP server knows a device by its address, so that [Conversation.Rebind] registers again for
// what is observed (RFC 7641 section 4.1); with a DTLS Connection ID the relations stay.
//
// Goroutines: none. The device's own blocks in [Conversation.Wait], whose read deadline is the
// earliest of what the caller and the retransmissions wait for. Only Interrupt may come from
// elsewhere. Times are wall or virtual time as package time tells it.
package coap
