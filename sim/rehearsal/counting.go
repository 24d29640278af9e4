package rehearsal

import (
	"context"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/cluster"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/probe"
)

// telling is the longest wait, after a run that lost messages, for what a broker says of itself then: Mosquitto
// does every ten seconds unless its sys_interval is longer.
const telling = 12 * time.Second

// connections is how many connections the probe has to each endpoint. The embedded broker holds its senders back
// before it drops anything, so one is enough there.
func connections(p *sim.Plan, at sim.Endpoints) int {
	if p.Target.EmbeddedServes(sim.ChannelMQTT) {
		return 1
	}
	return probe.Connections(p, len(at[probe.ListenScheme(at)]))
}

// counting reads what the brokers of a run say of themselves. A nil one is that of a target that is Myriad's own.
type counting struct {
	counters *probe.Counters
	stop     context.CancelFunc
	ended    chan struct{}
}

// count starts to read, unless the brokers are Myriad's own. figure, if it is not nil, hears of each figure.
func count(ctx context.Context, job *cluster.Job, c *clock, figure func(string, float64)) *counting {
	if job.Plan.Target.EmbeddedServes(sim.ChannelMQTT) || !uses(job.Plan, sim.ChannelMQTT) {
		return nil
	}
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	k := &counting{
		counters: &probe.Counters{Plan: job.Plan, RunID: job.RunID, Endpoints: job.Endpoints, Clock: c, Figure: figure},
		stop:     stop, ended: make(chan struct{}),
	}
	go func() {
		defer close(k.ended)
		k.counters.Run(reading)
	}()
	return k
}

// fresh waits until the brokers have told anew.
func (k *counting) fresh() {
	if k == nil {
		return
	}
	patience, cancel := context.WithTimeout(context.Background(), telling)
	defer cancel()
	k.counters.Fresh(patience)
}

// end stops reading.
func (k *counting) end() {
	if k != nil {
		k.stop()
		<-k.ended
	}
}

// list is what the brokers have said.
func (k *counting) list() []ledger.Drops {
	if k == nil {
		return nil
	}
	return k.counters.Drops()
}

// claims reports whether a story claims something of a kind.
func claims(p *sim.Plan, k sim.CheckKind) bool {
	return slices.ContainsFunc(p.Checks, func(c sim.Check) bool { return c.Kind == k })
}
