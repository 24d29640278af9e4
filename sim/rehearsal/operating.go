package rehearsal

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/cluster"
	"github.com/myriad-iot/myriad/sim/probe"
)

// answering is the longest wait at the end of a run for outstanding answers to commands.
const answering = 2 * time.Second

// operating is a run's operator at work. A nil one is that of a plan without commands.
type operating struct {
	*probe.Operator
	stop  context.CancelFunc
	ended chan struct{}
	err   error // set before ended is closed
}

// commands reports whether the plan sends commands to devices.
func commands(p *sim.Plan) bool {
	for i := range p.Acts {
		if p.Acts[i].Commands() {
			return true
		}
	}
	return false
}

// operate starts the operator, if there is anything to do, and returns when it has reached the target.
func (s *rehearsed) operate(ctx context.Context, job *cluster.Job, c *clock) (*operating, error) {
	if !commands(job.Plan) {
		return nil, nil
	}
	working, stop := context.WithCancel(context.WithoutCancel(ctx)) // an interrupted run is still drained
	o := &operating{
		Operator: &probe.Operator{
			Plan: job.Plan, RunID: job.RunID, Endpoints: job.Endpoints, Clock: c, Book: s.ledger, Witness: s.ledger,
		},
		stop: stop, ended: make(chan struct{}),
	}
	go func() {
		defer close(o.ended)
		o.err = o.Run(working)
	}()
	select {
	case <-o.Ready():
		return o, nil
	case <-o.ended:
		return nil, errors.Join(errors.New("commands cannot be sent"), o.end())
	case <-ctx.Done():
		_ = o.end() // the operator has sent no command yet
		return nil, ctx.Err()
	case <-time.After(granting):
		err := errors.New("nobody took a command's connection in time")
		return nil, &sim.NotHealthy{Target: "operator", Err: errors.Join(err, o.end())}
	}
}

// command is what the timeline has commands sent with.
func (o *operating) command() func(context.Context, int, *sim.Act, sim.Instant) error {
	if o == nil {
		return nil
	}
	return o.Command
}

// end stops the operator, when all answers that came have been passed on.
func (o *operating) end() error {
	if o == nil {
		return nil
	}
	o.stop()
	<-o.ended
	return o.err
}

// drain waits until the far end has seen what is on its way. The next story is prepared as soon as it seems so.
func (s *rehearsed) drain(ctx context.Context) {
	var preparing sync.WaitGroup
	defer preparing.Wait()
	if s.operator == nil {
		preparing.Go(func() {
			if s.far.Drain(ctx, quiet) == nil {
				s.prepare()
			}
		})
	}
	_ = s.far.Drain(ctx, grace) // what it misses is said when the ledger is closed
	if s.operator != nil {
		_ = s.operator.Drain(ctx, answering, s.ledger.Waiting)
		s.prepare()
	}
}
