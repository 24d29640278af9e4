package cluster

import (
	"cmp"
	"fmt"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Protocol is the version of the messages on the bus: coordinator and workers must have the same.
const Protocol = 4

// Lease is how long a worker may send no beat before it counts as lost, unless a [Job] says otherwise. It is so
// long because a worker on an overloaded machine is only late, which the lag of its devices shows. A local
// process that ends is noticed at once by the process that started it.
const Lease = 30 * time.Second

const (
	patience = 2 * time.Second // for the answer to one request

	// For the answer to a beat. On a machine that is short of CPU it takes long, and an answer that is not waited for
	// renews no lease, however many come.
	mostPatience = 10 * time.Second
)

// beatEvery is the time between the beats of a worker, unless an order wakes it: the coordinator hears 20 a
// second of all workers, however many there are, but none less often than ten times within its lease.
func beatEvery(j *Job) time.Duration {
	return min(max(100*time.Millisecond, time.Duration(j.Workers)*50*time.Millisecond), j.lease()/10)
}

// Subjects.
const (
	subjectJoin  = "myriad.join"
	subjectBeat  = "myriad.beat"
	subjectOrder = "myriad.order"
	subjectClock = "myriad.clock"
	streamName   = "RUN"
	streamAll    = "run.>"
	subjectJob   = "run.job"
	subjectSnap  = "run.snap" // of any shards
	prefixAcct   = "run.acct."
	prefixDone   = "run.done." // a shard's last message
	prefixKept   = "run.kept." // of the coordinator, for Salvage
	subjectFence = "run.fence" // what comes after it of these shards' epochs does not count
)

// Member says what a worker is and what it can carry.
type Member struct {
	Worker      string        `json:"worker"` // a name that it chose, which no other worker has
	Host        string        `json:"host"`
	Pid         int           `json:"pid"`
	CPUs        int           `json:"cpus"`
	Descriptors int           `json:"descriptors"` // RLIMIT_NOFILE
	Capacity    int           `json:"capacity"`    // devices
	ClockBound  time.Duration `json:"clock_bound_ns,omitempty"`
	Shards      []int         `json:"shards,omitempty"` // that it was given
	Taken       []int         `json:"taken,omitempty"`  // shards that it took over
	Lost        string        `json:"lost,omitempty"`   // why it counts as lost; empty if it does not
}

type hello struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"` // of the program
	Member
}

// Job is what a worker has to do.
type Job struct {
	Plan      *sim.Plan     `json:"plan"`
	Secrets   []string      `json:"secrets,omitempty"` // of the plan: only in the answer to a worker, which nobody keeps
	RunID     uint32        `json:"run_id"`
	Endpoints sim.Endpoints `json:"endpoints"`
	Shards    int           `json:"shards"`             // in all
	Workers   int           `json:"workers"`            // that share them when the run begins
	Lease     time.Duration `json:"lease_ns,omitempty"` // 0: Lease
}

// lease is how long a worker may send no beat.
func (j *Job) lease() time.Duration { return cmp.Or(j.Lease, Lease) }

// closing is a shard's last message: how much it shipped in all.
type closing struct {
	Shard     uint32 `json:"shard"`
	Epoch     uint32 `json:"epoch"`
	Snapshots uint32 `json:"snapshots"`
	Pieces    int    `json:"pieces"` // of its accounts
}

// fence says that a worker is lost: from here on, what has an earlier epoch of its shards does not count.
type fence struct {
	Worker string         `json:"worker"`
	Epochs map[int]uint32 `json:"epochs"` // by shard
	Reason string         `json:"reason"`
}

// subject is the subject of messages of a shard's epoch.
func subject(prefix string, shard int, epoch uint32) string {
	return fmt.Sprintf("%s%d.%d", prefix, shard, epoch)
}

// claim gives the shard of a lost worker to another one. Its devices continue at Begin.
type claim struct {
	Shard int         `json:"shard"`
	Epoch uint32      `json:"epoch"`
	Begin sim.Instant `json:"begin"`
}

type answer struct {
	Refused string `json:"refused,omitempty"`
	Job     *Job   `json:"job,omitempty"`
	Mine    []int  `json:"mine,omitempty"` // shards
}

type beat struct {
	Worker string      `json:"worker"`
	Ready  bool        `json:"ready"` // its devices are made
	Gone   bool        `json:"gone"`  // its devices have left, and all they did is in the stream
	Failed string      `json:"failed,omitempty"`
	State  fleet.State `json:"state"`
}

type pulse struct {
	Fenced string      `json:"fenced,omitempty"` // why the worker must stop at once
	T0     int64       `json:"t0,omitempty"`     // the run's origin by the coordinator's wall clock; 0 is not set
	Order  fleet.Order `json:"order"`
	Claims []claim     `json:"claims,omitempty"` // all that the worker has been given since the run began

	Away []ledger.Outage `json:"away,omitempty"` // of the far end, all so far
}

// ShardSize is the number of devices that a shard has at most: a process of 20,000 descriptors
// carries five shards, and what is lost with one spreads over several.
const ShardSize = 3800

// Shards is the number of shards of a plan for so many workers: as many for each.
func Shards(p *sim.Plan, workers int) int {
	workers = max(workers, 1)
	return max(1, (p.Devices()+ShardSize*workers-1)/(ShardSize*workers)) * workers
}

// shardDevices is the number of devices that each of so many shards has at most.
func shardDevices(p *sim.Plan, shards int) int {
	n := 0
	for i := range p.Fleets {
		n += (p.Fleets[i].Count + shards - 1) / shards
	}
	return n
}
