package docker

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

const haproxyConfig = "/haproxy/haproxy.cfg"

//go:embed haproxy/haproxy.cfg
var haproxyConf []byte

// HAProxy is the balancer before the nodes of a cluster. It hands on bytes, whatever they are, TLS too: a new
// connection goes to the node that has the fewest. It holds two descriptors for each.
func HAProxy() Container {
	return Container{
		Service: sim.Service{
			Name: "balancer", Role: sim.ServiceBalancer,
			Schemes: []sim.Scheme{sim.SchemeMQTT, sim.SchemeMQTTS, sim.SchemeWS, sim.SchemeWSS},
			Breaks:  []sim.Power{sim.PowerStop, sim.PowerKill, sim.PowerFreeze, sim.PowerLimit},
		},
		Image: "haproxy", Tag: "2.6.12", Local: "myriad/haproxy:local",
		Command: []string{"haproxy", "-W", "-db", "-f", haproxyConfig},
		Files:   haproxyFiles,
		Version: []string{"haproxy", "-v"}, Banner: `HAProxy version (\S+)`,
	}
}

// haproxyFiles adds a section for each listener. Nodes are asked at their plain port, whichever the section is for.
func haproxyFiles(s *Setup) (map[string][]byte, error) {
	if len(s.Peers) == 0 {
		return nil, errors.New("haproxy has no node to hand connections to")
	}
	config := slices.Clone(haproxyConf)
	for _, l := range s.Listeners {
		config = fmt.Appendf(config, "\nlisten %s\n    bind %s:%d\n", l.Scheme, s.Bind, l.Port)
		for i := range s.Peers {
			p := &s.Peers[i]
			plain, to := p.port(sim.SchemeMQTT), p.port(l.Scheme)
			if plain == 0 || to == 0 {
				return nil, fmt.Errorf("haproxy: %s does not serve %s", p.Host, l.Scheme)
			}
			config = fmt.Appendf(config, "    server %s %s:%d port %d\n", p.Host, p.Address, to, plain)
		}
	}
	return map[string][]byte{haproxyConfig: config}, nil
}

// port is where the node serves a scheme, 0 if it does not.
func (p *Peer) port(s sim.Scheme) int {
	for _, l := range p.Listeners {
		if l.Scheme == s {
			return l.Port
		}
	}
	return 0
}
