// Package backend is the embedded target: an MQTT broker (mochi) and a CoAP server (go-coap),
// tuned for fleets, and the child processes that carry them.
//
// [Target] is the parent's side. It starts each service in a child process of its own, made by
// executing the binary again, so that a fleet near the descriptor limit fits and a service can be
// killed, frozen and brought back without the simulator noticing anything but the network.
// [ChildMain] is the child's side; [Serve] runs the services in the calling process and serves both
// the child and `myriad backend` in the foreground.
//
// The journal. Every stamped message that a service accepts is written to a pipe as a fixed-size
// record (package journal) before it is acknowledged (write-ahead), so that after a SIGKILL everything
// that had been acknowledged is on record: the pipe outlives the child. The parent turns records into
// [sim.Sighting] with Stored set; see [Target.Journal] for the error bound of their instants.
//
// Ownership. Every blocking Run, Serve and ChildMain ends the goroutines that it started before it
// returns. A Target owns one goroutine per child, plus what reads the child's pipes, from Start or
// Up until the child has been reaped. A child ends when its standard input does: nothing is left
// behind when the parent dies, however it dies.
//
// Hand-made, and why: the accept loop (mochi's ends at the first EMFILE), the delivery gate (mochi
// drops what a subscriber's short queue cannot take, and a long queue costs 8 bytes a slot for each
// device), and the choice of ports (see [host.Limits.FixedPorts]).
package backend
