package rehearsal

import (
	"context"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/child"
)

const (
	// quiet is how long nothing has come at the far end, after all devices have their answers, before processes of
	// the next story are started: that costs a tenth of a second of CPU, and must not be measured.
	quiet = 100 * time.Millisecond

	// mostAhead is how many processes of a kind are started ahead at most: they take memory beside those of the
	// story before, and more than the machine has cores do not begin any sooner.
	mostAhead = 8
)

// need is so many processes of a kind.
type need struct {
	child.Kind
	n int
}

// serving are the processes of the plan's target, as far as they are children of this one.
func serving(p *sim.Plan) ([]need, error) {
	t, err := newEmbedded(p, nil)
	if err != nil {
		return nil, err
	}
	n := t.Brokers
	if t.CoAP {
		n++
	}
	return []need{{child.Kind{Args: t.Command}, n}}, nil
}

// driving are the processes of the plan's devices that run here, and of its far end.
func (s *Staff) driving(p *sim.Plan) ([]need, error) {
	far, err := again(probeChild)
	if err != nil {
		return nil, err
	}
	devices, err := again(workerChild)
	if err != nil {
		return nil, err
	}
	_, workers := s.plan(p)
	apart, watched := s.apart(p, workers), 0
	if uses(p, sim.ChannelMQTT) {
		watched = 1
	}
	return []need{{child.Kind{Args: far, Apart: apart}, watched}, {child.Kind{Args: devices, Apart: apart}, workers - s.Expect}}, nil
}

// startAhead starts processes ahead. It is no error if that cannot be: who needs them starts them then.
func (r *director) startAhead(list []need, err error) {
	for _, n := range list {
		if err == nil {
			err = r.pool.Ahead(n.Kind, min(n.n, mostAhead))
		}
	}
	if err != nil && r.Log != nil {
		r.Log.Debug("no process was started ahead", "err", err)
	}
}

// prepare returns what starts the processes of the story that is expected after this one, unless ctx has ended.
func (r *director) prepare(ctx context.Context, story *scenarios.Story) func() {
	i := slices.Index(r.coming, story) + 1
	if i == 0 || i == len(r.coming) {
		return func() {}
	}
	next := &r.coming[i].Plan
	if inVirtualTime(next) {
		return func() {}
	}
	return func() {
		if ctx.Err() == nil {
			r.startAhead(serving(next))
			r.startAhead(r.Staff.driving(next))
		}
	}
}
