// Package cluster runs the devices of one run in many processes, on one machine or several, with the same
// design: a [Coordinator] and [Worker]s, connected by an embedded NATS server.
//
// A worker connects, says how many devices it can carry, and gets shards: shard k of S holds the devices whose
// ordinal is k modulo S. Everything that a device does follows from the plan and its ordinal, so the schedule
// is the same however many workers there are. A worker then works alone. The timeline tells it only one
// [fleet.Order], a state: it may arrive late, and earlier orders are not needed.
//
// # On the bus
//
//	myriad.join    request   a worker's hello; the answer is a job, or why there is none
//	myriad.beat    request   several times a second: where its devices are. The answer renews the
//	                         worker's lease and holds the run's origin and the latest order.
//	myriad.order   message   the order has changed: beat now
//	myriad.clock   request   the coordinator's wall clock
//	run.job, run.snap, run.acct.<shard>.<epoch>   stream RUN, on disk
//
// The beat is heartbeat, lease and order in one exchange, because all three fail together. A worker whose lease
// was not renewed for [Lease] stops its devices at once and ends (it fences itself): by then the coordinator
// counts it as lost, and says so if the worker sends another beat. For workers on the coordinator's machine see
// [Keeper]. A snapshot that the stream has not
// acknowledged is sent again with the same Nats-Msg-Id, so it counts once.
//
// Other workers can take over the shards of a lost worker ([Config.TakeOver]): each shard goes to one of them,
// with the next epoch, from an instant in the near future on. What the lost worker put into the stream before
// that counts; what it puts there later does not. Its devices leave when its lease has ended ([device.Lease]),
// before they do anything else, so none of them reports what is due after the takeover. The worker that takes
// over computes the state of each device from the plan, and connects it as after a lost connection.
//
// What a worker has shipped is kept when the worker or the coordinator is killed: [Salvage] reads the stream of
// a run whose coordinator was killed.
//
// The server is nats-server; its core and JetStream are used through the public client only.
//
// Ownership. Start, Run and Close end what they started; callbacks of a Coordinator are called from
// one goroutine at a time.
package cluster
