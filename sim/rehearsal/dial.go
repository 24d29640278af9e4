package rehearsal

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	coapspecimen "github.com/myriad-iot/myriad/sim/coap/specimen"
	"github.com/myriad-iot/myriad/sim/http"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/link"
	"github.com/myriad-iot/myriad/sim/mqtt"
	"github.com/myriad-iot/myriad/sim/mqtt/specimen"
	"github.com/myriad-iot/myriad/sim/payload"
)

// switchboard makes the dialers of a plan's fleets. The source address and the identity of a device depend
// only on its position in the plan.
type switchboard struct {
	plan      *sim.Plan
	authority *identity.Authority
	sources   []netip.Prefix // that the user gave
	first     []uint64       // number of each fleet's first device in the plan
	lines     *lines         // nil: nobody drains them

	mu   sync.Mutex
	from map[string]link.Sources // by endpoint
}

// lines makes the dialers of any plan's fleets, and the lines that fetch, from the given source addresses.
type lines struct {
	sources []netip.Prefix

	mu    sync.Mutex
	under []*link.Dialer // those with weather
}

// dialers is for [cluster.Worker.Dialer].
func (l *lines) dialers(p *sim.Plan, _ sim.Endpoints) func(*sim.Fleet, sim.Role, sim.Weather) (sim.Dialer, error) {
	return l.switchboard(p).dialer
}

// openers is for [cluster.Worker.Opener].
func (l *lines) openers(p *sim.Plan, _ sim.Endpoints) func(*sim.Fleet, sim.Role, sim.Weather) (sim.Opener, error) {
	return l.switchboard(p).opener
}

func (l *lines) switchboard(p *sim.Plan) *switchboard {
	s := newSwitchboard(p, l.sources)
	s.lines = l
	return s
}

// lastWords bounds how long a process that ends waits for what its devices said last.
const lastWords = 10 * time.Second

// drain waits until what devices under weather said last has come to their peers: it would end with the process.
func (l *lines) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.under {
		_ = d.Drain(ctx) // what did not come in time does not come at all
	}
}

func newSwitchboard(p *sim.Plan, sources []netip.Prefix) *switchboard {
	s := &switchboard{
		plan: p, authority: &identity.Authority{Seed: p.Seed}, sources: sources, from: make(map[string]link.Sources),
	}
	n := uint64(0)
	for i := range p.Fleets {
		s.first = append(s.first, n)
		n += uint64(p.Fleets[i].Count)
	}
	return s
}

// place says where the caller calls from, unless it knows.
func (s *switchboard) place(c *sim.Caller) {
	if c.Source.IsValid() {
		return
	}
	c.Source = s.sourcesFor(c.Endpoint).Of(s.first[c.Fleet]+uint64(c.Ordinal), c.Attempt)
}

func (s *switchboard) sourcesFor(endpoint string) link.Sources {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, known := s.from[endpoint]
	if !known {
		from = link.SourcesFor(endpoint, uint64(s.plan.Devices()), s.sources)
		s.from[endpoint] = from
	}
	return from
}

// dialer makes the dialer of one of a fleet's conversations.
func (s *switchboard) dialer(f *sim.Fleet, r sim.Role, w sim.Weather) (sim.Dialer, error) {
	if f.Binding(r) == nil {
		return nil, fmt.Errorf("no binding has the role %q", r)
	}
	line, err := s.line(f, r, w)
	if err != nil {
		return nil, err
	}
	d, ok := line.(sim.Dialer)
	if !ok {
		return nil, fmt.Errorf("%s only fetches: it carries no messages", f.Binding(r).Channel.Name())
	}
	return d, nil
}

// opener makes what opens the lines of a fleet's binding of a role, which fetch.
func (s *switchboard) opener(f *sim.Fleet, r sim.Role, w sim.Weather) (sim.Opener, error) {
	line, err := s.line(f, r, w)
	if err != nil {
		return nil, err
	}
	o, ok := line.(sim.Opener)
	if !ok {
		return nil, fmt.Errorf("%s fetches nothing", f.Binding(r).Channel.Name())
	}
	return o, nil
}

// line makes the [sim.Dialer] or the [sim.Opener] of a fleet's binding of a role, or what is both.
func (s *switchboard) line(f *sim.Fleet, r sim.Role, w sim.Weather) (any, error) {
	b := f.Bound(r)
	l, err := s.link(&b, w)
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context, c *sim.Caller) (net.Conn, error) {
		s.place(c)
		return l.Dial(ctx, c)
	}
	switch b.Client {
	case sim.ClientPaho:
		return &specimen.Paho{Binding: b, Fleet: f.Family(), DialConn: dial}, nil
	case sim.ClientPahoGolang:
		return &specimen.PahoGolang{Binding: b, Fleet: f.Family(), DialConn: dial}, nil
	}
	switch b.Channel {
	case sim.ChannelMQTT:
		return &mqtt.Dialer{Binding: b, Fleet: f.Family(), DialConn: dial}, nil
	case sim.ChannelCoAP:
		return s.coap(f, b, l)
	case sim.ChannelHTTP:
		return &http.Opener{Binding: b, DialConn: dial}, nil
	}
	return nil, fmt.Errorf("unknown channel %q", b.Channel)
}

// link makes what a binding dials with, under weather; nil is none.
func (s *switchboard) link(b *sim.Binding, w sim.Weather) (*link.Dialer, error) {
	l, err := link.New(b, s.authority)
	if err != nil || w == nil {
		return l, err
	}
	if err := l.SetWeather(w); err != nil {
		return nil, err
	}
	if s.lines != nil {
		s.lines.mu.Lock()
		defer s.lines.mu.Unlock()
		s.lines.under = append(s.lines.under, l)
	}
	return l, nil
}

// coap makes the dialer of a fleet that speaks CoAP.
func (s *switchboard) coap(f *sim.Fleet, b sim.Binding, l *link.Dialer) (sim.Dialer, error) {
	d := &coap.Dialer{
		Binding: b, ContentFormat: coap.MediaType(payload.ContentFormat(f.Model.Encoding)),
		DialUDP: func(ctx context.Context, c *sim.Caller) (net.Conn, error) {
			s.place(c)
			return l.DialUDP(ctx, c)
		},
	}
	if b.Client == sim.ClientGoCoAP {
		library := &coapspecimen.GoCoAP{Binding: b, ContentFormat: d.ContentFormat,
			DialUDP: func(ctx context.Context, c *sim.Caller) (*net.UDPConn, error) {
				conn, err := d.DialUDP(ctx, c)
				udp, _ := conn.(*net.UDPConn) // as link promises for libraries
				return udp, err
			}}
		return library, library.Check()
	}
	switch b.Transport {
	case sim.TransportPlain:
		return d, nil
	case sim.TransportDTLS:
		roots, err := s.authority.Pool()
		if err != nil {
			return nil, err
		}
		d.Secure = &coap.DTLS{
			Roots: roots,
			PSK: func(c *sim.Caller) (identity, key []byte) {
				fleet, o := c.Identity()
				return s.authority.PSK(fleet, o, c.ID)
			},
			Certificate: func(c *sim.Caller) (*tls.Certificate, error) {
				fleet, o := c.Identity()
				return s.authority.Device(fleet, o, c.ID)
			},
		}
		return d, nil
	case sim.TransportTCP, sim.TransportTLS:
		return &coap.StreamDialer{
			Binding: b, ContentFormat: d.ContentFormat, Outcome: link.Outcome,
			DialTCP: func(ctx context.Context, c *sim.Caller) (net.Conn, error) {
				s.place(c)
				return l.Dial(ctx, c)
			},
		}, nil
	}
	return nil, fmt.Errorf("CoAP over %q is not available in this version", b.Transport)
}
