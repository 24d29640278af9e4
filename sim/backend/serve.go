package backend

import (
	"context"
	"io"
	"log/slog"
	"sync"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/journal"
)

// Options say which services to run.
type Options struct {
	MQTT string       // where the broker listens, "host:port"; port 0 picks one; empty: no broker
	CoAP string       // where the CoAP server listens, likewise
	Log  *slog.Logger // nil: nothing is logged
}

// Serve runs the services in this process until ctx ends. ready, unless nil, is called once, when
// all of them listen. A stamped message is written to records (see the package comment) before it
// is acknowledged; nil means that nobody wants to know. When one service fails the
// others end and its error is returned.
func Serve(ctx context.Context, o Options, records io.Writer, ready func(sim.Endpoints)) error {
	j := journal.NewWriter(records, 0)
	var at sim.Endpoints
	var services []func(context.Context) error
	if o.MQTT != "" {
		b, err := newBroker(o.MQTT, j, o.Log)
		if err != nil {
			return err
		}
		at.MQTT = []string{b.Addr()}
		services = append(services, b.Run)
	}
	if o.CoAP != "" {
		s, err := newCoAPServer(o.CoAP, j, o.Log)
		if err != nil {
			// Nothing runs yet: a broker that is run with an ended context only closes its socket.
			ended, cancel := context.WithCancel(ctx)
			cancel()
			for _, run := range services {
				_ = run(ended)
			}
			return err
		}
		at.CoAP = []string{s.Addr()}
		services = append(services, s.Run)
	}
	if ready != nil {
		ready(at)
	}
	return runAll(ctx, services)
}

// runAll runs all services until ctx ends or one of them does, and returns the first error.
func runAll(ctx context.Context, services []func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	for _, run := range services {
		wg.Go(func() {
			if err := run(ctx); err != nil {
				once.Do(func() { first = err })
			}
			cancel(nil)
		})
	}
	<-ctx.Done()
	wg.Wait()
	return first
}
