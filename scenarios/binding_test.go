package scenarios

import (
	"testing"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap/specimen"
)

// A story is refused for what the go-coap client would refuse when devices are made of it, and for no more.
func TestGoCoAPLacksWhatTheSpecimenRefuses(t *testing.T) {
	none, two := 0, 2
	refused := 0
	for _, b := range []sim.Binding{
		{}, {Transport: sim.TransportDTLS}, {Transport: sim.TransportTCP}, {Transport: sim.TransportTLS},
		{CoAP: sim.CoAP{Observe: []string{"a"}}},
		{CoAP: sim.CoAP{Method: "PUT"}}, {CoAP: sim.CoAP{Method: "post"}}, {CoAP: sim.CoAP{Method: "iPATCH"}},
		{CoAP: sim.CoAP{TokenSize: 8}}, {CoAP: sim.CoAP{TokenSize: 9}}, {CoAP: sim.CoAP{TokenSize: 1}},
		{CoAP: sim.CoAP{RandomFactor: 1}}, {CoAP: sim.CoAP{RandomFactor: 1.5}},
		{CoAP: sim.CoAP{MaxRetransmit: &none}}, {CoAP: sim.CoAP{MaxRetransmit: &two}},
		{CoAP: sim.CoAP{NStart: 4, BlockSize: 64, AckTimeout: 1e9}},
	} {
		b.Channel, b.Client = sim.ChannelCoAP, sim.ClientGoCoAP
		err := (&specimen.GoCoAP{Binding: b}).Check()
		lacks, hint := goCoAPLacks(&b)
		if (lacks == "") != (err == nil) || lacks != "" && hint == "" {
			t.Errorf("%+v: %q, %q, and the specimen says %v", b, lacks, hint, err)
		}
		if err != nil {
			refused++
		}
	}
	if refused != 9 {
		t.Errorf("%d refused", refused)
	}
}
