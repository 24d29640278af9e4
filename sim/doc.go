// Package sim holds the words of Myriad: what a fleet, a plan, an act, a sample and an outcome are.
//
// It is the lowest floor of the house. It imports the standard library only, starts no goroutine
// and does no I/O; every other package speaks in its types.
//
//	cmd/myriad            F6  one small file per verb; wires everything
//	sim/cluster           F5  coordinator and workers on an embedded NATS server
//	sim/fleet             F4  the timeline, and the devices of a shard: blocking Run(ctx)
//	sim/device            F3  one device's life in one goroutine
//	sim/backend           F3  the embedded target: broker and CoAP server in child processes
//	sim/probe             F2  the far end: what arrived, when, how often
//	scenarios             F2  the step catalogue; compiles a story into a Plan
//	reports/render        F2  text, JSON, JUnit, Markdown, HTML
//	docker                F2  targets in containers
//	scenarios/profiles    F1  models, fleets and targets from YAML
//	sim/mqtt/specimen     F1  MQTT libraries as devices
//	sim/coap/specimen     F1  a CoAP library as devices
//	sim/mqtt sim/coap     F1  channels: a protocol's mechanics over a plain connection
//	sim/link              F1  what channels run on: TCP and UDP from given sources, TLS, WebSocket
//	sim/identity          F1  keys and certificates, from the seed
//	sim/payload           F1  encodings of a reading
//	sim/child sim/journal F1  child processes, and what they saw
//	sim/wiretap           F1  recordings that tshark judges, for tests
//	sim/peers             F1  others' servers, for tests
//	sim/host              F1  what this machine allows, and how many devices that carries
//	reports               F1  ledger, samples, folding, judging: values only
//	sim                   F0  this package
//	sim/pace sim/signal features   F0  intended instants, sensor values, the .feature files
//
// A package imports lower floors only, and cmd/myriad/arch_test.go keeps it so.
//
// The way of one sentence: scenarios matches it against the catalogue and adds acts and checks to
// the [Plan]; fleet hands the plan's program to its devices; a device computes its own intended
// instants from (seed, ordinal), sleeps in Read until the next one, and reports each act as a
// [Sample]; reports folds samples into a result, and the check that the sentence became is judged
// against it.
//
// Time. A run has one origin T0. An [Instant] is a duration since T0. All durations in plans are
// [Duration], which is a time.Duration that reads and writes as text ("1m30s").
package sim
