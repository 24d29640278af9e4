package host

import (
	"runtime"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

func small() Limits {
	return Limits{HardFiles: 20_000, SoftFiles: 20_000, PortFirst: 32_768, PortLast: 60_999, MemoryAvailable: 24e9, CPUs: 2}
}

func planOf(count int, b sim.Binding, target sim.TargetSpec) *sim.Plan {
	b.Role = sim.RoleData
	fleet := func(name string) sim.Fleet {
		return sim.Fleet{Name: name, Count: count, Bindings: []sim.Binding{b}}
	}
	return &sim.Plan{
		Target: target, Fleets: []sim.Fleet{fleet("meters"), fleet("never")},
		Acts: []sim.Act{{Kind: sim.ActConnect, Select: &sim.Selection{Fleet: "meters"}}},
	}
}

func TestNeedOf(t *testing.T) {
	two := sim.Endpoints{sim.SchemeMQTT: {"127.0.0.1:1", "127.0.0.1:2"}, sim.SchemeCoAP: {"127.0.0.1:3"}}
	for _, tc := range []struct {
		name    string
		binding sim.Binding
		target  sim.TargetSpec
		want    Need
	}{
		{"embedded", sim.Binding{Channel: sim.ChannelMQTT}, sim.TargetSpec{Kind: sim.TargetEmbedded},
			Need{MQTT: 100_000, Embedded: true, Destinations: 6}},
		{"external", sim.Binding{Channel: sim.ChannelMQTT}, sim.TargetSpec{Kind: sim.TargetExternal, Endpoints: two},
			Need{MQTT: 100_000, Destinations: 2}},
		{"CoAP", sim.Binding{Channel: sim.ChannelCoAP}, sim.TargetSpec{Kind: sim.TargetExternal, Endpoints: two},
			Need{CoAP: 100_000}},
		{"DTLS", sim.Binding{Channel: sim.ChannelCoAP, Transport: sim.TransportDTLS}, sim.TargetSpec{Kind: sim.TargetExternal},
			Need{CoAPOverDTLS: 100_000}},
	} {
		if runtime.GOOS == "linux" { // all of these targets are on loopback
			tc.want.SourceAddresses = loopbackSources
		}
		if got := NeedOf(small(), planOf(100_000, tc.binding, tc.target)); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

// Devices that lose power and come back have two sockets each, for the old one says nothing to the peer.
func TestNeedOfSilentSockets(t *testing.T) {
	p := planOf(19_000, sim.Binding{Channel: sim.ChannelMQTT}, sim.TargetSpec{Kind: sim.TargetEmbedded})
	if n := NeedOf(small(), p); n.Silent != 0 || small().Workers(n) != 1 {
		t.Errorf("nobody loses power: %+v", n)
	}
	half := sim.Act{Kind: sim.ActFault, Fault: &sim.Fault{Site: sim.SitePower, Verb: "power-loss"}, Select: &sim.Selection{Fleet: "meters", Percent: 50}}
	p.Acts = append(p.Acts, half, half)
	if n := NeedOf(small(), p); n.Silent != 19_000 || small().Workers(n) != 2 || small().Brokers(n) != 1 {
		t.Errorf("half of them lose power twice: %+v", n)
	}
}
