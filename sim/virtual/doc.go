// Package virtual is the target of stories that run in virtual time: a broker and a CoAP server, Myriad's own, and the
// network between them and the devices, all in memory of this process, so that a weekend takes seconds.
//
// It is made for a bubble of testing/synctest and must be used within one: whoever waits here waits for a channel, a
// condition or a timer of the bubble. A connection carries bytes, and a socket datagrams, at once, in order and without
// loss: the latencies of a run are those of the weather that sim/link puts over it, and of what the story breaks. What
// comes from the kernel in real runs is as on Linux: calling a port that nobody listens at is refused, whoever writes to a
// frozen process fills its buffers, a killed process's connections end, and what is sent to a port that is closed is
// answered by ICMP.
//
// Both are hand-made: net.Pipe has no buffer, so two ends that write at the same time would wait for
// each other for ever, and it does not keep datagrams apart.
package virtual
