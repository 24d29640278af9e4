package rehearsal

import (
	"slices"

	"github.com/myriad-iot/myriad/docker/engine"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/backend"
	hosts "github.com/myriad-iot/myriad/sim/host"
	"github.com/myriad-iot/myriad/sim/identity"
)

// brokers is how many broker processes carry the plan's MQTT devices, each of which may open limit
// descriptors.
func brokers(p *sim.Plan, limit uint64) int {
	devices := 0
	for i := range p.Fleets {
		if f := &p.Fleets[i]; f.Speaks(sim.ChannelMQTT) {
			devices += f.Count
		}
	}
	return max(1, hosts.Processes(devices, limit)) // one that can carry none says so itself
}

// served is what a target must serve of channels beside their plain forms, which the probe and the
// operator speak, and who it is then. It demands certificates where every fleet over TLS has them.
func served(p *sim.Plan, channels ...sim.Channel) (schemes []sim.Scheme, who backend.Identity) {
	who = backend.Identity{Seed: p.Seed, Mutual: true}
	for _, b := range conversations(p) {
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

// conversations are the bindings of all lines of all fleets.
func conversations(p *sim.Plan) (list []*sim.Binding) {
	for i := range p.Fleets {
		list = append(list, p.Fleets[i].Conversations()...)
	}
	return list
}

// secure gives a target in containers what served says, and its certificate.
func secure(t *engine.Target, p *sim.Plan) error {
	var channels []sim.Channel
	for i := range t.Containers {
		channels = append(channels, t.Containers[i].Service.Channel())
	}
	schemes, who := served(p, channels...)
	if t.Schemes = schemes; !slices.ContainsFunc(schemes, func(s sim.Scheme) bool { return s.Transport().Secured() }) {
		return nil
	}
	a := &identity.Authority{Seed: who.Seed}
	server, err := a.Server(who.Hosts...)
	if err != nil {
		return err
	}
	t.Certificate.Mutual = who.Mutual
	if t.Certificate.CA, err = a.CA(); err != nil {
		return err
	}
	t.Certificate.Certificate, t.Certificate.Key, err = identity.PEM(server)
	return err
}
