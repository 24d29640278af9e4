package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	coapspecimen "github.com/myriad-iot/myriad/sim/coap/specimen"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/link"
	"github.com/myriad-iot/myriad/sim/mqtt"
	"github.com/myriad-iot/myriad/sim/mqtt/specimen"
	"github.com/myriad-iot/myriad/sim/payload"
)

// switchboard makes the dialers of a plan's fleets: what a device dials with follows from its place
// in the plan.
type switchboard struct {
	plan      *sim.Plan
	authority *identity.Authority
	sources   []netip.Prefix // that the user gave
	first     []uint64       // number of each fleet's first device in the plan

	mu   sync.Mutex
	from map[string]link.Sources // by endpoint
}

// switchboards returns what makes the dialers of any plan's fleets, from the given source addresses.
func switchboards(sources []netip.Prefix) func(*sim.Plan, sim.Endpoints) func(*sim.Fleet) (sim.Dialer, error) {
	return func(p *sim.Plan, _ sim.Endpoints) func(*sim.Fleet) (sim.Dialer, error) {
		return newSwitchboard(p, sources).dialer
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

// dialer makes the dialer of a fleet's data binding.
func (s *switchboard) dialer(f *sim.Fleet) (sim.Dialer, error) {
	b := *f.Data()
	l, err := link.New(&b, s.authority)
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context, c *sim.Caller) (net.Conn, error) {
		s.place(c)
		return l.Dial(ctx, c)
	}
	switch b.Client {
	case sim.ClientPaho:
		return &specimen.Paho{Binding: b, Fleet: f.Name, DialConn: dial}, nil
	case sim.ClientPahoGolang:
		return &specimen.PahoGolang{Binding: b, Fleet: f.Name, DialConn: dial}, nil
	}
	switch b.Channel {
	case sim.ChannelMQTT:
		return &mqtt.Dialer{Binding: b, Fleet: f.Name, DialConn: dial}, nil
	case sim.ChannelCoAP:
		return s.coap(f, b, l)
	}
	return nil, fmt.Errorf("unknown channel %q", b.Channel)
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
			PSK:   func(c *sim.Caller) (identity, key []byte) { return s.authority.PSK(c.Fleet, c.Ordinal, c.ID) },
			Certificate: func(c *sim.Caller) (*tls.Certificate, error) {
				return s.authority.Device(c.Fleet, c.Ordinal, c.ID)
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
