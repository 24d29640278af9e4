// Package probe is the far end of the MQTT brokers under test: what their subscribers receive.
//
// A [Probe] subscribes with QoS 1 and a persistent session to the topics of a plan's fleets at every
// MQTT endpoint, finds the stamp in each payload and passes it on as a [sim.Sighting]. When a broker restarts
// it connects again; [Probe.Outages] says when it was not subscribed, so that what nobody saw then is not called
// lost. [Check] checks whether an external target is ready. CoAP has no far end to subscribe to: what a CoAP server
// stored is known from the journal of the embedded target, and not known for others.
//
// A [Remote] is a Probe in a child process, made by executing the binary again. In the process of the devices,
// receiving took a quarter of the CPU (10,000 messages a second) and delayed them: what measures must not share a
// process with what makes the load. [ChildMain] is the child's side. The child tells when it did not run, and its
// parent notices when it does not: what came late then, or was lost, is not the target's fault.
//
// A broker holds no more than a number of messages for a subscriber. So a probe has as many connections as the rate
// needs ([Connections]), which share the devices' topics among them, and [Counters] reads what the broker says that
// it dropped: what may have been dropped from the probe's own queue is not called lost.
//
// Endpoints are independent of one another: a device speaks to one of them (see [sim.Spread]), and its messages
// count where they belong only. So a cluster of brokers that forwards them to each other is counted
// once too.
//
// Probe.Run owns every goroutine of the probe, and Remote.Run the child. Instants are durations since the run's origin.
package probe
