package main

import (
	"math"
	"slices"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/backend"
	"github.com/myriad-iot/myriad/sim/identity"
)

// spareDescriptors are what a broker process keeps for itself and for connections that overlap.
const spareDescriptors = 1000

// brokers is how many broker processes carry the plan's MQTT devices, each of which may open limit
// descriptors.
func brokers(p *sim.Plan, limit uint64) int {
	devices := 0
	for i := range p.Fleets {
		if f := &p.Fleets[i]; f.Data().Channel == sim.ChannelMQTT {
			devices += f.Count
		}
	}
	if limit <= 2*spareDescriptors { // a spare of that size would leave next to nothing
		limit = limit/2 + spareDescriptors
	}
	carries := int(min(limit, math.MaxInt32)) - spareDescriptors
	if carries < 1 {
		return 1 // which will say itself what it cannot do
	}
	return max(1, (devices+carries-1)/carries)
}

// served is what a target must serve of channels beside their plain forms, which the probe and the
// operator speak, and who it is then. It demands certificates where every fleet over TLS has them.
func served(p *sim.Plan, channels ...sim.Channel) (schemes []sim.Scheme, who backend.Identity) {
	who = backend.Identity{Seed: p.Seed, Mutual: true}
	for i := range p.Fleets {
		b := p.Fleets[i].Data()
		if !slices.Contains(channels, b.Channel) || b.Transport == sim.TransportPlain {
			continue
		}
		if !slices.Contains(schemes, b.Scheme()) {
			schemes = append(schemes, b.Scheme())
		}
		if b.Transport.Secured() && b.Security.Credential != sim.CredentialPSK {
			who.Mutual = who.Mutual && b.Security.Credential == sim.CredentialCertificate
			if name := b.Security.ServerName; name != "" && !slices.Contains(who.Hosts, name) {
				who.Hosts = append(who.Hosts, name)
			}
		}
	}
	return schemes, who
}

// secure gives a target in a container what served says, and its certificate.
func secure(o *docker.Options, p *sim.Plan) error {
	schemes, who := served(p, sim.ChannelMQTT)
	if o.Schemes = schemes; !slices.ContainsFunc(schemes, func(s sim.Scheme) bool { return s.Transport().Secured() }) {
		return nil
	}
	a := &identity.Authority{Seed: who.Seed}
	server, err := a.Server(who.Hosts...)
	if err != nil {
		return err
	}
	o.Certificate.Mutual = who.Mutual
	if o.Certificate.CA, err = a.CA(); err != nil {
		return err
	}
	o.Certificate.Certificate, o.Certificate.Key, err = identity.PEM(server)
	return err
}
