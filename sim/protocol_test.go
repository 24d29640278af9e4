package sim

import "testing"

func TestProtocolInWords(t *testing.T) {
	for want, b := range map[string]Binding{
		"MQTT 3.1.1, QoS 0":                       {Channel: ChannelMQTT},
		"MQTT 5, QoS 1":                           {Channel: ChannelMQTT, Version: "5", QoS: 1},
		"MQTT 5 over TLS, QoS 2":                  {Channel: ChannelMQTT, Version: "5", QoS: 2, Transport: TransportTLS},
		"MQTT 3.1.1 over secure WebSocket, QoS 1": {Channel: ChannelMQTT, Version: "3.1.1", QoS: 1, Transport: TransportWSS},
		"MQTT 3.1.1, QoS 1, client paho":          {Channel: ChannelMQTT, QoS: 1, Client: ClientPaho},
		"CoAP, NON":                               {Channel: ChannelCoAP},
		"CoAP, CON":                               {Channel: ChannelCoAP, QoS: 1},
		"CoAP over DTLS, CON":                     {Channel: ChannelCoAP, QoS: 1, Transport: TransportDTLS},
		"CoAP over TCP":                           {Channel: ChannelCoAP, QoS: 1, Transport: TransportTCP},
		"CoAP over TLS":                           {Channel: ChannelCoAP, QoS: 1, Transport: TransportTLS},
	} {
		if got := b.Speech(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Each protocol has a scheme and names that no other one has.
func TestProtocolsDiffer(t *testing.T) {
	of := map[string]Protocol{}
	for _, p := range Protocols() {
		if SchemeOf(p.Channel, p.Transport) == "" || p.Names()[0] != p.String() {
			t.Errorf("%s: the scheme is %q, the names are %q", p, SchemeOf(p.Channel, p.Transport), p.Names())
		}
		for _, name := range p.Names() {
			if other, taken := of[name]; taken {
				t.Errorf("%s is %+v and %+v", name, other, p)
			}
			of[name] = p
		}
	}
	for _, f := range forms() {
		if b := (Binding{Channel: f.channel, Transport: f.transport}); f.channel.Name() != "" && of[b.Protocol().String()] != b.Protocol() {
			t.Errorf("%s is not among the protocols", b.Protocol())
		}
	}
}
