package sim

import (
	"math"
	"slices"
)

// Transport is what carries a channel.
type Transport string

// The transports.
const (
	TransportPlain Transport = ""    // MQTT and HTTP: TCP; CoAP: UDP
	TransportTLS   Transport = "tls" // over TCP
	TransportWS    Transport = "ws"  // MQTT over WebSocket
	TransportWSS   Transport = "wss" // MQTT over WebSocket over TLS
	TransportDTLS  Transport = "dtls"
	TransportTCP   Transport = "tcp" // CoAP over TCP (RFC 8323)
)

// Secured reports whether t runs over TLS or DTLS.
func (t Transport) Secured() bool {
	return t == TransportTLS || t == TransportWSS || t == TransportDTLS
}

// Scheme is the URI scheme of a channel over a transport.
type Scheme string

// The schemes.
const (
	SchemeMQTT     Scheme = "mqtt"
	SchemeMQTTS    Scheme = "mqtts"
	SchemeWS       Scheme = "ws"
	SchemeWSS      Scheme = "wss"
	SchemeCoAP     Scheme = "coap"
	SchemeCoAPS    Scheme = "coaps"
	SchemeCoAPTCP  Scheme = "coap+tcp"
	SchemeCoAPSTCP Scheme = "coaps+tcp"
	SchemeHTTP     Scheme = "http"
	SchemeHTTPS    Scheme = "https"
)

// form is one way to speak a channel.
type form struct {
	scheme    Scheme
	channel   Channel
	transport Transport
	port      string // that URIs may leave out
}

// forms is an array, which costs its callers no allocation.
func forms() [10]form {
	return [...]form{
		{SchemeMQTT, ChannelMQTT, TransportPlain, "1883"},
		{SchemeMQTTS, ChannelMQTT, TransportTLS, "8883"},
		{SchemeWS, ChannelMQTT, TransportWS, "8083"},
		{SchemeWSS, ChannelMQTT, TransportWSS, "8084"},
		{SchemeCoAP, ChannelCoAP, TransportPlain, "5683"},
		{SchemeCoAPS, ChannelCoAP, TransportDTLS, "5684"},
		{SchemeCoAPTCP, ChannelCoAP, TransportTCP, "5683"},
		{SchemeCoAPSTCP, ChannelCoAP, TransportTLS, "5684"},
		{SchemeHTTP, ChannelHTTP, TransportPlain, "80"},
		{SchemeHTTPS, ChannelHTTP, TransportTLS, "443"},
	}
}

// Schemes lists all schemes.
func Schemes() []Scheme {
	var list []Scheme
	for _, f := range forms() {
		list = append(list, f.scheme)
	}
	return list
}

// SchemeOf is the scheme of a channel over a transport, "" if there is no such combination.
func SchemeOf(c Channel, t Transport) Scheme {
	for _, f := range forms() {
		if f.channel == c && f.transport == t {
			return f.scheme
		}
	}
	return ""
}

// Channel is the channel that the scheme is of, "" if there is no such scheme.
func (s Scheme) Channel() Channel { return s.form().channel }

// Transport is what carries the channel.
func (s Scheme) Transport() Transport { return s.form().transport }

// Port is the scheme's default port, in decimal.
func (s Scheme) Port() string { return s.form().port }

func (s Scheme) form() form {
	for _, f := range forms() {
		if f.scheme == s {
			return f
		}
	}
	return form{}
}

// Endpoints are where channels dial: "host:port" lists by scheme, over which devices are spread by their
// number (see [Spread]). For ws and wss an entry may have a path after the port; without one it is
// "/mqtt".
type Endpoints map[Scheme][]string

const (
	// From device oneByOne on, neighbours devices in a row share an endpoint, because they are due together when
	// a fleet connects: five, as many as a full worker carries of devices in a row. A broker that wakes for each
	// device separately needs a seventh more CPU.
	oneByOne   = 1000
	neighbours = 5
)

// ListenScheme is the MQTT scheme over which a probe subscribes: the plain one if there is such an endpoint,
// because it needs the least CPU, else the first in the order of [Schemes]. Entry k of each scheme's list is
// the same broker.
func (e Endpoints) ListenScheme() Scheme {
	for _, s := range Schemes() {
		if s.Channel() == ChannelMQTT && len(e[s]) > 0 {
			return s
		}
	}
	return SchemeMQTT
}

// Of returns the endpoint of a scheme for a device, or "".
func (e Endpoints) Of(s Scheme, o Ordinal) string {
	list := e[s]
	if len(list) == 0 {
		return ""
	}
	return list[Spread(o, len(list))]
}

// Spread is the number, from 0 to n-1, of a device's endpoint among n (above 0). Everything that sends to devices
// or listens for them uses it too.
func Spread(o Ordinal, n int) int {
	if o >= oneByOne {
		o /= neighbours
	}
	return int(o) % n
}

// Number is the number of an address among the endpoints of a scheme, from 1; 0 is any other.
func (e Endpoints) Number(s Scheme, address string) uint16 {
	n := slices.Index(e[s], address) + 1
	if n > math.MaxUint16 {
		return 0
	}
	return uint16(n)
}

// Has reports whether there is an endpoint of the channel, over any transport.
func (e Endpoints) Has(c Channel) bool {
	for s, list := range e {
		if s.Channel() == c && len(list) > 0 {
			return true
		}
	}
	return false
}

// All lists every endpoint as "scheme://host:port", sorted by scheme as in [Schemes], in order.
func (e Endpoints) All() []string {
	var list []string
	for _, s := range Schemes() {
		for _, address := range e[s] {
			list = append(list, string(s)+"://"+address)
		}
	}
	return list
}

// Addresses lists every endpoint without its scheme, in the order of [Endpoints.All].
func (e Endpoints) Addresses() []string {
	var list []string
	for _, s := range Schemes() {
		list = append(list, e[s]...)
	}
	return list
}

// Add returns the endpoints of e followed by those of other; e may be nil.
func (e Endpoints) Add(other Endpoints) Endpoints {
	sum := make(Endpoints, len(e)+len(other))
	for _, from := range []Endpoints{e, other} {
		for s, list := range from {
			sum[s] = append(slices.Clip(sum[s]), list...)
		}
	}
	return sum
}
