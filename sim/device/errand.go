package device

import (
	"context"
	"fmt"
	"sync"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/skill"
)

// errands are the work of a device's skills that is under way on lines that fetch. Each runs on its own
// goroutine, which ends soon after the device loses power or stops; [Group.Wait] waits for it.
type errands struct {
	begun  int // how many so far: the number of the next one, which gives it its own random stream
	cancel map[int]context.CancelFunc

	mu   sync.Mutex // guards what follows, which errands write
	back []returned
}

// returned is an errand that has ended.
type returned struct {
	number, part int
	err          error
}

// Start implements [skill.Host]. The errand counts as work under way until it has ended.
func (d *Device) Start(s *skill.Self, r sim.Role, e skill.Errand) {
	if d.resuming {
		return
	}
	if d.errands == nil {
		d.errands = &errands{cancel: make(map[int]context.CancelFunc)}
	}
	all := d.errands
	number, part := all.begun, int(s.Number)
	all.begun++
	ctx, cancel := context.WithCancel(d.group.ctx)
	all.cancel[number] = cancel
	d.waits(1)
	opener, caller := d.opener(r, number)
	d.group.all.Go(func() {
		err := run(ctx, opener, caller, r, e)
		all.mu.Lock()
		all.back = append(all.back, returned{number, part, err})
		all.mu.Unlock()
		d.returned.Store(true)
		d.Poke()
	})
}

// run lends lines to an errand, one at a time, and closes them.
func run(ctx context.Context, opener sim.Opener, caller *sim.Caller, r sim.Role, e skill.Errand) error {
	if opener == nil {
		return fmt.Errorf("no line for %q: the fleet has no binding that fetches for it", r)
	}
	var line sim.Requester
	closed := func() {
		if line != nil {
			line.Close(ctx.Err() != nil)
			line = nil
		}
	}
	defer closed()
	return e(ctx, func(ctx context.Context) (sim.Requester, sim.Outcome) {
		closed()
		c := *caller // lines keep it
		next, _, outcome := opener.Open(ctx, &c)
		caller.Attempt++
		if outcome != sim.OK {
			return nil, outcome
		}
		line = next
		return line, sim.OK
	})
}

// opener returns what opens the lines of a role, and the caller to name to it; nil if no binding has the role.
func (d *Device) opener(r sim.Role, number int) (sim.Opener, *sim.Caller) {
	b := d.c.Fleet.Binding(r)
	if b == nil || d.c.Opener == nil {
		return nil, nil
	}
	return d.c.Opener(r), &sim.Caller{
		ID: d.ID, Ordinal: d.Ordinal, Key: mix(d.Key, r), Endpoint: d.c.Endpoints.Of(b.Scheme(), d.Ordinal), Attempt: number << 16, Fleet: d.Index, T0: d.T0, Traffic: d.c.traffic(),
	}
}

// fetchBack tells the skills which errands have ended.
func (d *Device) fetchBack() {
	d.returned.Store(false)
	all := d.errands
	all.mu.Lock()
	back := all.back
	all.back = nil
	all.mu.Unlock()
	for _, r := range back {
		all.cancel[r.number]()
		delete(all.cancel, r.number)
		d.waits(-1)
		if t := d.c.kit[r.part].runner; t != nil {
			t.Returned(&d.parts[r.part].Self, r.err, d.now())
			d.busy(r.part)
		}
	}
}

// abandon cancels all errands: the device has lost power, or it leaves.
func (d *Device) abandon() {
	if d.errands == nil {
		return
	}
	for _, cancel := range d.errands.cancel {
		cancel()
	}
}
