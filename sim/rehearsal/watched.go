package rehearsal

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/docker/engine"
	"github.com/myriad-iot/myriad/sim"
)

// monitor is Prometheus in a container, and the page of a story's figures that it reads.
type monitor struct {
	Exposed
	server     http.Server
	served     chan struct{} // closed when nobody is answered any more
	pages      []docker.Scrape
	prometheus *engine.Target
	at         sim.Endpoints
}

// startMonitor starts what the plan asks for beside its target, which is started; nil if that is nothing. It returns when
// every page has been read once.
func startMonitor(ctx context.Context, p *sim.Plan, target sim.Target, secrets []string, log *slog.Logger) (*monitor, error) {
	if !p.Watched {
		return nil, nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort(docker.Loopback, "0"))
	if err != nil {
		return nil, err
	}
	m := &monitor{Exposed: Exposed{Secrets: secrets}, served: make(chan struct{})}
	m.server = http.Server{Handler: &m.Exposed, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: time.Minute}
	go func() {
		defer close(m.served)
		_ = m.server.Serve(l) // it ends with Close
	}()
	m.pages = append([]docker.Scrape{{Job: "myriad", Address: l.Addr().String(), Path: "/metrics"}}, pagesOf(target)...)
	m.prometheus = engine.Prometheus(m.pages, log)
	if m.at, err = m.prometheus.Start(ctx); err != nil {
		_ = m.stop(ctx) // of Prometheus there is nothing left
		return nil, err
	}
	return m, nil
}

// pagesOf are the pages that services of a target have for Prometheus.
func pagesOf(t sim.Target) []docker.Scrape {
	if b, ok := t.(*beside); ok {
		t = b.named
	}
	if p, ok := t.(interface{ Pages() []docker.Scrape }); ok {
		return p.Pages()
	}
	return nil
}

// address is where people find it.
func (m *monitor) address() string { return "http://" + m.at.Of(sim.SchemeHTTP, 0) }

// exposed is what the story tells its figures; nil without a monitor.
func (m *monitor) exposed() *Exposed {
	if m == nil {
		return nil
	}
	return &m.Exposed
}

// describe adds what there is to what is said of the target.
func (m *monitor) describe(facts map[string]string) {
	for key, value := range m.prometheus.Describe() {
		if key != "kind" && key != "name" {
			facts["prometheus."+key] = value
		}
	}
	var reads []string
	for _, p := range m.pages {
		reads = append(reads, p.Job+" at http://"+p.Address+p.Path)
	}
	facts["prometheus.reads"] = strings.Join(reads, ", ")
}

// stop removes the container and ends answering. It may be repeated.
func (m *monitor) stop(ctx context.Context) error {
	if m == nil {
		return nil
	}
	err := m.prometheus.Stop(context.WithoutCancel(ctx))
	_ = m.server.Close()
	<-m.served
	return err
}
