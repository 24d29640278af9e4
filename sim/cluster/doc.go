// Package cluster carries one run's devices in many processes, on one machine or several: a
// [Coordinator] and [Worker]s on an embedded NATS server, one design for both.
//
// A worker dials in, says what it can carry, and is given shards: shard k of S holds the devices
// whose ordinal is k modulo S. Everything that a device does follows from the plan and its ordinal,
// so however many workers there are, they emit the schedule of one. A worker then works alone: what
// the timeline tells it is one [fleet.Order], a state that it may hear of late and never needs the
// history of.
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
// The beat is heartbeat, lease and order in one exchange, because all three fail together. A worker
// whose lease was not renewed for [Lease] stops its devices at once and ends (it fences itself): the
// coordinator has given them up by then, and says so when the worker comes back. A snapshot that was
// not acknowledged by the stream is sent again under the same Nats-Msg-Id, so it counts once.
//
// The shards of a lost worker can go over to those that are left ([Config.TakeOver]): each to one of them,
// with the next epoch, at an instant in the near future. What it had put into the stream by then counts,
// what it puts there later does not. Its devices leave by themselves when its lease is over ([device.Lease]),
// before they do anything else, so none of them reports what is due after the takeover. That which takes
// over works out from the plan where each device is in its life, and connects it as after a broken connection.
//
// What a worker has shipped survives it, and the coordinator too: [Salvage] reads the stream of a run
// whose coordinator was killed.
//
// The engine is nats-server, whose core and JetStream are used through the public client only.
//
// Ownership. Start, Run and Close end what they started; callbacks of a Coordinator are called from
// one goroutine at a time.
package cluster
