package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/rehearsal"
)

const metricsHelp = "HOST:PORT where Prometheus reads the figures of the run while it goes on, at /metrics; port 0 is any.\n" +
	"When the run is over it stays until the last figures have been read once more, if somebody reads them"

// exposure is what --metrics starts. Nil is none.
type exposure struct {
	*rehearsal.Exposed
	server http.Server
	ended  chan struct{} // closed when nobody is answered any more
}

// expose begins to answer at an address; "" is none.
func expose(address string, secrets []string, told io.Writer) (*exposure, error) {
	if address == "" {
		return nil, nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, fmt.Errorf("--metrics %q: write HOST:PORT, such as 127.0.0.1:9464", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--metrics %s: %w", address, err)
	}
	x := &exposure{Exposed: &rehearsal.Exposed{Secrets: secrets}, ended: make(chan struct{})}
	x.server = http.Server{Handler: x.Exposed, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: time.Minute}
	fmt.Fprintf(told, "figures at http://%s/metrics\n", l.Addr())
	go func() {
		defer close(x.ended)
		_ = x.server.Serve(l) // it ends with Close
	}()
	return x, nil
}

// handler is what the run tells its figures; nil without --metrics.
func (x *exposure) handler() *rehearsal.Exposed {
	if x == nil {
		return nil
	}
	return x.Exposed
}

// last lets the figures of a run that is over be read. They are those of metrics.prom, which has been written.
func (x *exposure) last(ctx context.Context, run *reports.Run, told io.Writer) {
	if x == nil || x.Final(run) != nil {
		return
	}
	wait, read := x.Expected()
	if wait == 0 || ctx.Err() != nil {
		return
	}
	fmt.Fprintf(told, "  the last figures stay at /metrics until they are read, %v at most\n", wait.Round(time.Second))
	select {
	case <-read:
	case <-time.After(wait):
	case <-ctx.Done():
	}
}

// close ends answering, when what is being answered has been.
func (x *exposure) close() {
	if x == nil {
		return
	}
	ctx, enough := context.WithTimeout(context.Background(), time.Second)
	defer enough()
	_ = x.server.Shutdown(ctx)
	_ = x.server.Close()
	<-x.ended
}
