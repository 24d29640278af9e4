// Package probe is the far end of the MQTT brokers under test: what their subscribers receive.
//
// A [Probe] subscribes with QoS 1 and a persistent session to the topics of a plan's fleets at every
// MQTT endpoint, finds the stamp in each payload and passes it on as a [sim.Sighting]. It survives the
// broker: it comes back by itself, and tells in [Probe.Outages] when it was away. [Check] asks whether
// somebody else's target is ready at all. CoAP has no far end to subscribe to: what a CoAP server
// stored is known from the journal of the embedded target, and not known for others.
//
// A [Remote] is a Probe in a child process, made by executing the binary again: in the
// devices' process receiving was a quarter of the CPU (10,000 messages a second) and took its turn in
// their schedule. A rig that measures stands beside the rig that loads. [ChildMain] is the child's side.
//
// Endpoints are independent of one another: a device speaks to one of them (see [sim.Spread]), and its messages
// count where they belong only. So a cluster of brokers that forwards them to each other is counted
// once too.
//
// Probe.Run owns every goroutine of the probe, and Remote.Run the child. Instants are durations since the run's origin.
package probe
