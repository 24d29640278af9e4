// Package backend is the embedded target: an MQTT broker (mochi) and a CoAP server (go-coap),
// tuned for fleets, and the child processes that carry them.
//
// [Target] is the parent's side. It starts each service in a child process of its own, by executing the
// binary again. So the service has its own limit of descriptors, and it can be killed, frozen and started
// again, while the simulator sees only the effects on the network.
// [ChildMain] is the child's side; [Serve] runs the services in the calling process and serves both
// the child and `myriad backend` in the foreground.
//
// The journal. Every stamped message that a service accepts is written to a pipe as a fixed-size
// record (package journal) before it is acknowledged (write-ahead), so that after a SIGKILL everything
// that had been acknowledged is recorded: the pipe still exists after the child has ended. The parent turns records into
// [sim.Sighting] with Stored set; see [Target.Journal] for the error bound of their instants.
//
// Ownership. Every blocking Run, Serve and ChildMain ends the goroutines that it started before it
// returns. A Target owns one goroutine per child, plus what reads the child's pipes, from Start or
// Up until the child has been reaped. A child ends when its standard input does: nothing is left
// behind when the parent dies, however it dies.
//
// The broker's library. mochi has had no release since March 2025. It is good enough for what it does here, and
// its known faults are met in broker.go, deliver.go, listener.go and retained.go, which are the only files that know it; sim/mqtt
// uses its codec of packets, nothing else of it. The rest of the package sees a broker as two methods (mqttServer
// in serve.go). What we would do, in this order: as long as only small faults show, meet them here, as now; when a
// fault of security or of the protocol stays open there, take a copy of the release that we use into a folder of
// this one and mend it there (it is under the MIT licence, and about 11,000 lines without its hooks); when more than
// that is needed, put nats-server behind the same two methods, which is in go.mod for the bus already: it keeps
// sessions and QoS 2, and speaks MQTT 3.1.1 only, so stories in MQTT 5 would need containers then. Any broker can be
// a target from outside at any time, and claims on the embedded one are claims on Myriad itself, not on a product.
//
// Own code instead of the library's, and why: the accept loop (mochi's ends at the first EMFILE), the choice of
// ports (see [host.Limits.FixedPorts]), what is done once a second in virtual time (bare.go), and the deliveries
// (session.go, deliver.go): mochi drops messages when the short queue of a subscriber is full; beyond a Receive
// Maximum it forgets what it sent, sends some twice, and can lock itself out; it repeats in no order after a new
// connection; and it keeps what it sends and what it receives in one table by packet identifier, where one deletes
// the other. mochi still does connections, subscriptions, retained messages and wills, and the acknowledgements of
// what it receives.
package backend
