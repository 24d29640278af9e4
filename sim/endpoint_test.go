package sim

import (
	"slices"
	"testing"
)

func TestParseEndpoint(t *testing.T) {
	for _, c := range []struct {
		uri     string
		scheme  Scheme
		address string
		ok      bool
	}{
		{"mqtt://broker:1884", SchemeMQTT, "broker:1884", true},
		{"mqtts://broker", SchemeMQTTS, "broker:8883", true},
		{"wss://broker:443/ws", SchemeWSS, "broker:443/ws", true},
		{"ws://broker", SchemeWS, "broker:8083", true},
		{"coap://[::1]", SchemeCoAP, "[::1]:5683", true},
		{"coaps://[::1]:7", SchemeCoAPS, "[::1]:7", true},
		{"coap+tcp://peer", SchemeCoAPTCP, "peer:5683", true},
		{"coap://peer/path", "", "", false},
		{"http://peer", "", "", false}, // nothing is reported over HTTP
		{"peer:1883", "", "", false},
		{"mqtt://", "", "", false},
		{"ws:///mqtt", "", "", false},
	} {
		scheme, address, err := ParseEndpoint(c.uri, "")
		if scheme != c.scheme || address != c.address || (err == nil) != c.ok {
			t.Errorf("%s: %q %q %v, want %q %q %v", c.uri, scheme, address, err, c.scheme, c.address, c.ok)
		}
	}
}

func TestEndpointsAddUp(t *testing.T) {
	a := Endpoints{SchemeMQTT: {"a:1"}, SchemeCoAPS: {"c:3"}}
	sum := a.Add(Endpoints{SchemeMQTT: {"b:2"}, SchemeWS: {"w:4/mqtt"}})
	want := []string{"mqtt://a:1", "mqtt://b:2", "ws://w:4/mqtt", "coaps://c:3"}
	if got := sum.All(); !slices.Equal(got, want) {
		t.Errorf("all: %q, want %q", got, want)
	}
	if len(a[SchemeMQTT]) != 1 || !sum.Has(ChannelCoAP) || a.Has("smtp") || Endpoints(nil).Has(ChannelMQTT) {
		t.Errorf("%v changed, or Has is wrong of %v", a, sum)
	}
	for _, s := range Schemes() {
		if SchemeOf(s.Channel(), s.Transport()) != s || s.Port() == "" {
			t.Errorf("%s: %q over %q, port %q", s, s.Channel(), s.Transport(), s.Port())
		}
	}
}
