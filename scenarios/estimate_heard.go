package scenarios

import (
	"strings"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// maxHandshakes is an upper bound of the handshakes of a kind between two moments: one each time that a
// device connects.
func (c *compiler) maxHandshakes(metric sim.Op, from, to time.Duration) (float64, error) {
	var joins []batch
	for _, j := range c.estimated.connects {
		b := &c.fleets[j.fleet].binding
		if b.Transport.Secured() && (metric == sim.OpHandshake || b.Security.Resume) {
			joins = append(joins, j)
		}
	}
	if metric == sim.OpResumption && len(joins) == 0 {
		return 0, wrong("write `Given fleet \"rooms\" resumes its TLS sessions`", "no fleet resumes its TLS sessions")
	}
	return within(joins, from, to), nil
}

// delivered is the number of messages that devices receive from others between two moments.
func (c *compiler) delivered(from, to time.Duration) (float64, error) {
	sum, heard := 0.0, false
	for _, s := range c.fleets {
		if !s.connected {
			continue
		}
		for _, filter := range s.listens() {
			size := float64(s.scaled)
			if rest, shared := strings.CutPrefix(filter, "$share/"); shared {
				_, filter, _ = strings.Cut(rest, "/")
				size = 1
			}
			if strings.Contains(filter, "{id}") {
				size = 1 // each device receives only its own
			}
			filter = generic(strings.ReplaceAll(filter, "{fleet}", s.name))
			sum += size * c.estimated.selected(c, from, to, func(p *fleet) float64 {
				hit := p.sends(func(k *sim.Skill) bool {
					return p.mqtt() == s.mqtt() && covers(filter, generic(strings.ReplaceAll(k.Topic, "{fleet}", p.name)))
				})
				heard = heard || hit > 0 && p.connected
				return hit
			})
		}
	}
	if !heard {
		return 0, wrong("let a fleet subscribe to what another one publishes", "no device receives messages of others, so there is no delivery latency")
	}
	return sum, nil
}

// listens are the topic filters, or paths, that each device of the fleet listens to.
func (f *fleet) listens() []string {
	if !f.mqtt() {
		return f.binding.CoAP.Observe
	}
	var list []string
	for _, s := range f.binding.MQTT.Subscribe {
		list = append(list, s.Filter)
	}
	return list
}
