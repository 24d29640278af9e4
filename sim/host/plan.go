package host

import (
	"net/netip"
	"runtime"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fault"
)

// NeedOf is what a plan needs of this machine. Fleets that never connect need nothing.
func NeedOf(l Limits, p *sim.Plan) Need {
	n := Need{Embedded: p.Target.EmbeddedServes(sim.ChannelMQTT), Silent: Silent(p)}
	used := make(map[sim.Scheme]bool)
	for i := range p.Fleets {
		if f := &p.Fleets[i]; p.Connects(f.Name) {
			for _, b := range f.Conversations() {
				n.Add(b.Channel, b.Transport, f.Count)
				used[b.Scheme()] = true
			}
		}
	}
	for s := range used {
		if t := s.Transport(); t != sim.TransportDTLS && (s.Channel() == sim.ChannelMQTT || t != sim.TransportPlain) {
			n.Destinations += len(p.Target.Endpoints[s])
		}
	}
	if n.Embedded {
		n.Destinations = l.Brokers(n)
	}
	n.SourceAddresses = SourceAddresses(&p.Target)
	return n
}

// Silent is how many sockets stay open because their devices went without a word: the peer is to hear nothing. A
// device that comes back has a new one beside it.
func Silent(p *sim.Plan) int {
	n := 0
	for i := range p.Fleets { // behind a NAT that forgets no peer hears of the end of a TCP connection
		if f := &p.Fleets[i]; f.NAT != nil && !f.Data().Datagrams() {
			n += f.Count
		}
	}
	for i := range p.Acts {
		if a := &p.Acts[i]; fault.Of(a).OfDevices() && fault.Of(a).Severs {
			n += a.Select.Size(p.Fleets[p.FleetIndex(a.Select.Fleet)].Count)
		}
	}
	return n
}

// loopbackSources is fewer than the addresses of 127/8 that devices call from where the target is on
// loopback: as many as they need.
const loopbackSources = 1 << 12

// SourceAddresses is how many addresses devices call from, 0 if they do not choose them: sim/link's law is for
// Linux, IPv4 and a target on loopback.
func SourceAddresses(t *sim.TargetSpec) int {
	if runtime.GOOS != "linux" || t.Kind == sim.TargetContainer {
		return 0
	}
	for _, address := range t.Endpoints.Addresses() {
		if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().Is4() || !at.Addr().IsLoopback() {
			return 0
		}
	}
	return loopbackSources
}
