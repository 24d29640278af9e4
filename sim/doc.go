// Package sim holds the basic types of Myriad: what a fleet, a plan, an act, a sample and an outcome are.
//
// It is the lowest layer (F0). It imports the standard library only, starts no goroutine and does no I/O; every
// other package uses its types.
//
//	cmd/myriad            F7  one small file per verb; flags, the result folder, exit codes
//	sim/rehearsal         F6  the director: target, far end, workers, timeline, judgement of a story
//	sim/cluster           F5  coordinator and workers on an embedded NATS server
//	sim/fleet             F4  the timeline, and the devices of a shard: blocking Run(ctx)
//	sim/device            F3  the host of skills: power, the line, reconnects, the outbox; a goroutine a device
//	sim/virtual           F4  the target of stories in virtual time: a broker, a CoAP server and a network in memory
//	sim/backend           F3  the embedded target: broker and CoAP server in child processes
//	sim/skill             F2  what a skill is, and what it needs of its host
//	sim/skill/report      F2  measures at an interval
//	sim/skill/health      F2  tells how the device itself is
//	sim/skill/obey        F2  takes commands and answers them
//	sim/probe             F2  the far end: what arrived, when, how often
//	scenarios             F2  the step catalogue; compiles a story into a Plan
//	reports               F2  folding, result: values only
//	reports/judge         F2  claims against a result
//	reports/render        F2  text, JSON, JUnit, Markdown, HTML, Prometheus, CSV
//	reports/internal/stage F2 runs played by hand, for tests
//	docker/engine         F2  brings up services in containers
//	scenarios/profiles    F1  models, fleets and targets from YAML
//	sim/mqtt/specimen     F1  MQTT libraries as devices
//	sim/coap/specimen     F1  a CoAP library as devices
//	sim/mqtt sim/coap     F1  channels: a protocol's mechanics over a plain connection
//	sim/http              F1  a channel that only fetches
//	sim/fetch             F1  downloads that go on where a broken line left off
//	sim/auth              F1  who may connect, as a service that brokers ask over HTTP
//	sim/burst             F1  what this machine carries at a target, measured for a moment
//	sim/link              F1  what channels run on: TCP and UDP from given sources, TLS, WebSocket, weather
//	sim/identity          F1  keys and certificates, from the seed
//	sim/payload           F1  encodings of a reading
//	sim/child sim/journal F1  child processes, and what they saw
//	sim/internal/wiretap  F1  recordings that tshark judges, for tests
//	sim/internal/peers    F1  others' servers, for tests
//	sim/internal/bubble   F1  virtual time under the race detector, for tests; for users it is sim/virtual
//	sim/cluster/deploy    F1  files that start a run with its workers elsewhere
//	scenarios/words       F1  the notation of values that stories and profiles share
//	sim/host              F1  what this machine allows, and how many devices that carries
//	reports/folder        F1  folders of users: what is theirs is never touched
//	scenarios/input       F1  reads what users name: regular files, in folders that a story may read from
//	scenarios/targets     F1  the table of targets: which services each has, and what those can do
//	docker                F1  the services that run in containers, one file and one folder each
//	sim/fault             F1  what can be broken, of a service and of devices, one file each
//	sim/ledger            F1  accounts, recorder, snapshots: what is counted while a run goes
//	sim                   F0  this package
//	sim/pace sim/signal   F0  intended instants, sensor values
//	sim/hist features     F0  histograms, the .feature files
//
// A package imports lower layers only; cmd/myriad/arch_test.go checks it.
//
// What happens to a sentence of a story: scenarios matches it with the catalogue and adds acts and checks to
// the [Plan]. sim/fleet gives the acts to its devices. A device computes its own intended instants from (seed,
// ordinal), sleeps in Read until the next one, and reports each act as a [Sample]. sim/ledger counts samples,
// reports adds the counts up to a result, and reports/judge compares the check with the result.
//
// # How to extend
//
// Each line says what to add, which files to touch, and the smallest example that exists. A new thing is a
// new file and a line in a table; where it needs more, mend the design first.
//
//	a step        a file or an entry in scenarios/steps_*.go, and its list in scenarios/catalogue.go
//	              example: scenarios/steps_health.go
//	an assertion  on a column of the account of messages, a step alone; another kind is a line in
//	              sim/check.go and one in sim/check_kind.go, and who judges it, in reports/judge
//	              example: scenarios/steps_health.go, reports/judge/heard.go, reports/judge/account.go
//	a skill       a room sim/skill/<name>, a line in sim/fleet/kit.go, the name in sim/skill.go, its steps
//	              example: sim/skill/health/health.go
//	a fault       of a service or of devices: a file in sim/fault, a line in the table of sim/fault/fault.go,
//	              its step
//	              example: sim/fault/freeze.go, sim/fault/power.go
//	a network     a line in scenarios/networks.go
//	              example: scenarios/networks.go
//	a channel     a folder beside sim/mqtt that gives a [Dialer] or an [Opener], its [Channel] and schemes in
//	              sim/fleet.go and sim/endpoint.go, and its case in sim/rehearsal/dial.go
//	              example: sim/http/opener.go
//	a dialect     there is none yet but the plain one; a room sim/dialect/<name>, a codec without I/O
//	              that skills use, as sim/skill/report/report.go uses sim/payload/payload.go
//	a service     a file and a folder in docker, and a line in scenarios/targets/targets.go
//	              example: docker/mosquitto.go, docker/mosquitto/Dockerfile
//	a cluster     of a service: it Joins, and its Files read the peers of the setup
//	              example: docker/nats.go
//	an asked one  of a service: a service that brokers ask and no device speaks to, in a child process of Myriad's
//	              example: sim/auth/server.go, sim/backend/auth.go, docker/rabbitauth.go
//	a helper      beside any target: a file and a folder in docker, and who starts it in sim/rehearsal
//	              example: docker/prometheus.go, docker/prometheus/Dockerfile, sim/rehearsal/watched.go
//	a setting     of a service, that stories may write: a line in the service's file
//	              example: docker/mosquitto.go
//	a format      a file in reports/render, and a line in the table of reports/render/files.go
//	              example: reports/render/csv.go
//	a metric      an [Op] in sim/sample.go, and the [Recorder.Record] of who measures it
//	              example: sim/skill/obey/obey.go
//
// Time. A run has one origin T0. An [Instant] is a duration since T0. All durations in plans are
// [Duration], which is a time.Duration that reads and writes as text ("1m30s").
package sim
