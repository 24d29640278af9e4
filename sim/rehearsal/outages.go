package rehearsal

import (
	"fmt"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// outages passes on when the probe was not connected: to the ledger, which judges what nobody saw, and to the
// workers, whose accounts keep what was sent then. Its methods may be called from any goroutine.
type outages struct {
	mu    sync.Mutex
	all   []ledger.Outage // as the probe tells them
	told  sim.Instant     // the end of the last stall that was told
	early []bool          // of the first ones: whether they began and ended before T0, or only began
	begun bool
	now   func() sim.Instant
	pass  []func([]ledger.Outage)
	event func(ledger.Event)
}

// tell takes what the probe knows, which is all so far.
func (o *outages) tell(all []ledger.Outage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.all
	o.all = all
	if !o.begun {
		return
	}
	o.handOn()
	for i := range all {
		switch {
		case i < len(o.early) && o.early[i]:
		case all[i].Stalled:
			o.stall(&all[i], i < len(before) && before[i].Lasts)
		case lasting(all, i): // by another connection
		case i >= len(before):
			o.event(ledger.Event{At: o.now(), Kind: ledger.EventProbeAway, Act: ledger.NoAct,
				Text: fmt.Sprintf("the probe has lost its connection to %s: nobody sees what arrives there", all[i].Endpoint)})
		case before[i].Lasts && !all[i].Lasts:
			o.event(ledger.Event{At: o.now(), Kind: ledger.EventProbeBack, Act: ledger.NoAct,
				Text: fmt.Sprintf("the probe is back at %s", all[i].Endpoint)})
		}
	}
}

// lasting reports whether another outage at the endpoint of the i-th lasts.
func lasting(all []ledger.Outage, i int) bool {
	for k := range all {
		if k != i && all[k].Lasts && !all[k].Stalled && all[k].Endpoint == all[i].Endpoint {
			return true
		}
	}
	return false
}

// longer is how much longer a stall must prove to have been than was told of it to be told anew.
const longer = 100 * time.Millisecond

// stall tells that the probe does not run, or did not: known is whether the first was told before.
func (o *outages) stall(s *ledger.Outage, known bool) {
	e := ledger.Event{At: o.now(), Kind: ledger.EventProbeStalled, Act: ledger.NoAct}
	switch {
	case s.Lasts && !known:
		e.Text = "the probe's process does not run: nobody sees what arrives"
	case !s.Lasts && (known || s.To-o.told > longer):
		o.told = s.To
		now := *s
		now.Behind = false // that it has not read everything yet is no news
		e.Text = now.String() + ": what came late then, or did not come, is not the target's fault"
	default:
		return
	}
	o.event(e)
}

// begin says that T0 is set: from here on instants are the run's. What was over by then concerns nobody.
func (o *outages) begin(now func() sim.Instant, event func(ledger.Event), pass ...func([]ledger.Outage)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.begun, o.now, o.event, o.pass = true, now, event, pass
	for i := range o.all {
		o.early = append(o.early, !o.all[i].Lasts)
	}
	if len(o.all) > 0 {
		o.handOn()
	}
}

func (o *outages) handOn() {
	var list []ledger.Outage
	for i, outage := range o.all {
		if i < len(o.early) {
			if o.early[i] {
				continue
			}
			outage.From = 0
		}
		list = append(list, outage)
	}
	for _, pass := range o.pass {
		pass(list)
	}
}
