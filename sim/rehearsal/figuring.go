package rehearsal

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// askEvery is how often a service is asked for its figures.
const askEvery = time.Second

// figuring reads the figures that services of the target tell of themselves. It is nil where no claim names any: then
// nobody is asked, and what the target does for it is not done.
type figuring struct {
	clock *clock
	begun *atomic.Bool // T0 is set: before, the clock counts from elsewhere
	stop  context.CancelFunc
	ended sync.WaitGroup

	mu    sync.Mutex
	books []*ledger.Figures
}

// figuresOf lists the figures that the claims of a plan name and its target may tell, by service.
func figuresOf(p *sim.Plan) map[string][]string {
	named := make(map[string][]string)
	for _, list := range [][]sim.Check{p.Guards, p.Checks} {
		for i := range list {
			if c := &list[i]; c.Kind == sim.CheckFigure && c.Lacks == "" && !slices.Contains(named[c.Service], c.Figure) {
				named[c.Service] = append(named[c.Service], c.Figure)
			}
		}
	}
	return named
}

// tell starts to ask. What brokers tell in topics comes by [figuring.topics].
func tell(ctx context.Context, t sim.Target, p *sim.Plan, c *clock, begun *atomic.Bool, log *slog.Logger) *figuring {
	named := figuresOf(p)
	if len(named) == 0 {
		return nil
	}
	asking, stop := context.WithCancel(context.WithoutCancel(ctx))
	k := &figuring{clock: c, begun: begun, stop: stop}
	of, able := t.(sim.Telling)
	for service, names := range named {
		book := ledger.NewFigures(service, names...)
		k.books = append(k.books, book)
		if able && targets.Figures(&p.Target, service).Fetched() {
			k.ended.Go(func() { k.ask(asking, of, book, log) })
		}
	}
	return k
}

// ask asks a service until ctx ends, and once more then. That a service tells nothing is said once, unless it told
// something before: it may be down because the story wants it so.
func (k *figuring) ask(ctx context.Context, of sim.Telling, book *ledger.Figures, log *slog.Logger) {
	said := log == nil
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for last := false; ; {
		err := of.Tell(context.WithoutCancel(ctx), book.Service, func(name string, value float64) { k.add(book, name, value) })
		said = said || err == nil
		if !said {
			said = true
			log.Warn("what a service tells of itself is not known", "service", book.Service, "err", err)
		}
		if last {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			last = true
		}
	}
}

func (k *figuring) add(book *ledger.Figures, name string, value float64) {
	at := sim.Instant(0)
	if k.begun.Load() {
		at = k.clock.Now()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	book.Add(at, name, value)
}

// topics is who hears of figures that brokers tell in topics; nil if nobody wants them, or they are told otherwise.
func (k *figuring) topics(p *sim.Plan) func(name string, value float64) {
	if k == nil {
		return nil
	}
	for _, book := range k.books {
		if targets.Figures(&p.Target, book.Service).Form == docker.FiguresTopics {
			return func(name string, value float64) { k.add(book, name, value) }
		}
	}
	return nil
}

// end asks once more and stops.
func (k *figuring) end() {
	if k != nil {
		k.stop()
		k.ended.Wait()
	}
}

// told is what the services told so far.
func (k *figuring) told() []ledger.Figures {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var list []ledger.Figures
	for _, book := range k.books {
		list = append(list, book.Clone())
	}
	return list
}
