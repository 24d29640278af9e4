package rehearsal

import (
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/backend"
	coapspecimen "github.com/myriad-iot/myriad/sim/coap/specimen"
	"github.com/myriad-iot/myriad/sim/payload"
)

func mqttFleet(name string, count int, t sim.Transport, s sim.Security) sim.Fleet {
	return sim.Fleet{Name: name, Count: count, Bindings: []sim.Binding{
		{Role: sim.RoleData, Channel: sim.ChannelMQTT, Transport: t, Security: s},
	}}
}

func TestBrokers(t *testing.T) {
	p := func(counts ...int) *sim.Plan {
		p := new(sim.Plan)
		for _, n := range counts {
			p.Fleets = append(p.Fleets, mqttFleet("f", n, "", sim.Security{}))
		}
		p.Fleets = append(p.Fleets, sim.Fleet{Count: 1e6, Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelCoAP}}})
		return p
	}
	for _, c := range []struct {
		plan  *sim.Plan
		limit uint64
		want  int
	}{
		{p(100_000), 20_000, 6},
		{p(50_000, 50_000), 20_000, 6},
		{p(19_000), 20_000, 1},
		{p(19_001), 20_000, 2},
		{p(10), 20_000, 1},
		{p(973), 1024, 1},
		{p(974), 1024, 2},
		{p(10), 0, 1},
		{p(1_000_000), 1 << 62, 1},
	} {
		if got := brokers(c.plan, c.limit); got != c.want {
			t.Errorf("%d devices, %d descriptors: %d brokers, want %d", c.plan.Devices(), c.limit, got, c.want)
		}
	}
}

func TestServed(t *testing.T) {
	certificate := sim.Security{Credential: sim.CredentialCertificate}
	for _, c := range []struct {
		fleets  []sim.Fleet
		schemes []sim.Scheme
		who     backend.Identity
	}{
		{[]sim.Fleet{mqttFleet("a", 1, "", sim.Security{})}, nil, backend.Identity{Seed: 9, Mutual: true}},
		{[]sim.Fleet{mqttFleet("a", 1, sim.TransportTLS, certificate), mqttFleet("b", 1, sim.TransportWS, sim.Security{})},
			[]sim.Scheme{sim.SchemeMQTTS, sim.SchemeWS}, backend.Identity{Seed: 9, Mutual: true}},
		{[]sim.Fleet{mqttFleet("a", 1, sim.TransportTLS, certificate),
			mqttFleet("b", 1, sim.TransportTLS, sim.Security{ServerName: "broker.example"})},
			[]sim.Scheme{sim.SchemeMQTTS}, backend.Identity{Seed: 9, Hosts: []string{"broker.example"}}},
	} {
		schemes, who := served(&sim.Plan{Seed: 9, Fleets: c.fleets}, sim.ChannelMQTT)
		if !reflect.DeepEqual(schemes, c.schemes) || !reflect.DeepEqual(who, c.who) {
			t.Errorf("%v, %+v, want %v, %+v", schemes, who, c.schemes, c.who)
		}
	}
}

// Devices of two fleets call from different places, and each device from the same one in any process.
func TestDevicesCallFromTheirOwnPlace(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("127.0.0.1 is the only address of loopback")
	}
	p := &sim.Plan{Fleets: []sim.Fleet{mqttFleet("a", 2, "", sim.Security{}), mqttFleet("b", 2, "", sim.Security{})}}
	seen := map[string]bool{}
	for range 2 {
		for i := range p.Fleets {
			for o := range sim.Ordinal(2) {
				c := sim.Caller{Fleet: uint16(i), Ordinal: o, Endpoint: "127.0.0.1:1883"}
				newSwitchboard(p, nil).place(&c)
				seen[c.Source.String()] = true
			}
		}
	}
	if len(seen) != 4 || !seen["127.16.0.0:16384"] || !seen["127.16.0.0:16408"] {
		t.Errorf("%v", seen)
	}
}

func TestGoCoAPDevices(t *testing.T) {
	for _, c := range []struct {
		transport sim.Transport
		says      string
	}{{sim.TransportPlain, ""}, {sim.TransportDTLS, "dtls"}, {sim.TransportTCP, "tcp"}, {sim.TransportTLS, "tls"}} {
		p := &sim.Plan{Fleets: []sim.Fleet{{Count: 1, Model: sim.Model{Encoding: sim.EncodingCBOR}, Bindings: []sim.Binding{
			{Role: sim.RoleData, Channel: sim.ChannelCoAP, Transport: c.transport, Client: sim.ClientGoCoAP},
		}}}}
		d, err := newSwitchboard(p, nil).dialer(&p.Fleets[0], sim.RoleData, nil)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("over %q: %v", c.transport, err)
		}
		if library, ok := d.(*coapspecimen.GoCoAP); err == nil && (!ok || library.DialUDP == nil ||
			uint16(library.ContentFormat) != uint16(payload.ContentFormat(sim.EncodingCBOR))) {
			t.Errorf("over %q: %T %+v", c.transport, d, d)
		}
	}
}

// Bindings of other roles than data become lines that fetch, where their channel can.
func TestOpeners(t *testing.T) {
	f := mqttFleet("plcs", 1, "", sim.Security{})
	f.Bindings = append(f.Bindings,
		sim.Binding{Role: sim.RoleUpdate, Channel: sim.ChannelHTTP},
		sim.Binding{Role: sim.RoleEnrol, Channel: sim.ChannelCoAP},
		sim.Binding{Role: sim.RoleControl, Channel: sim.ChannelMQTT})
	open := new(lines).openers(&sim.Plan{Seed: 1, Fleets: []sim.Fleet{f}}, nil)
	for r, want := range map[sim.Role]string{sim.RoleUpdate: "", sim.RoleEnrol: "", sim.RoleControl: "MQTT fetches nothing"} {
		o, err := open(&f, r, nil)
		if want == "" && (err != nil || o == nil) || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %v, %v", r, o, err)
		}
	}
	f.Bindings[0].Channel = sim.ChannelHTTP
	if _, err := new(lines).dialers(&sim.Plan{Fleets: []sim.Fleet{f}}, nil)(&f, sim.RoleData, nil); err == nil {
		t.Error("HTTP carries reports")
	}
}
