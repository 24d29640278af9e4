package sim

import (
	"cmp"
	"strconv"
	"strings"
)

// Protocol is what devices and their peer speak. [Protocol.String] is how stories, profiles and reports
// write it; scenarios/words reads it.
type Protocol struct {
	Channel   Channel
	Version   string // MQTT: "3.1.1" or "5"; other channels have none
	Transport Transport
}

// Protocols lists every protocol that has a scheme and a name, without a transport of its own first.
func Protocols() []Protocol {
	var plain, carried []Protocol
	for _, f := range forms() {
		if f.channel.Name() == "" {
			continue
		}
		for _, version := range f.channel.versions() {
			p := Protocol{f.channel, version, f.transport}
			if f.transport == TransportPlain {
				plain = append(plain, p)
			} else {
				carried = append(carried, p)
			}
		}
	}
	return append(plain, carried...)
}

// String is "MQTT 3.1.1", "MQTT 5 over TLS", "CoAP" ...
func (p Protocol) String() string {
	text := p.Channel.Name()
	if p.Version != "" {
		text += " " + p.Version
	}
	if over := p.Transport.Name(); over != "" {
		text += " over " + over
	}
	return text
}

// Names lists what a protocol may be called: as String prints it, and without the version if that is the
// channel's default.
func (p Protocol) Names() []string {
	names := []string{p.String()}
	if p.Version != "" && p.Version == p.Channel.versions()[0] {
		p.Version = ""
		names = append(names, p.String())
	}
	return names
}

// Name is what people call the channel: "MQTT". It is "" for a channel that no story can ask for.
func (c Channel) Name() string {
	switch c {
	case ChannelMQTT:
		return "MQTT"
	case ChannelCoAP:
		return "CoAP"
	}
	return ""
}

// versions lists the channel's versions, the default first; "" is the only one of CoAP.
func (c Channel) versions() []string {
	if c == ChannelMQTT {
		return []string{"3.1.1", "5"}
	}
	return []string{""}
}

// Name is what people call the transport: "secure WebSocket"; "" for the plain one.
func (t Transport) Name() string {
	switch t {
	case TransportWS:
		return "WebSocket"
	case TransportWSS:
		return "secure WebSocket"
	}
	return strings.ToUpper(string(t)) // TLS, DTLS, TCP
}

// Protocol is what the binding speaks.
func (b *Binding) Protocol() Protocol {
	return Protocol{b.Channel, cmp.Or(b.Version, b.Channel.versions()[0]), b.Transport}
}

// Quality is the binding's quality of service as people write it: "QoS 1", "CON" or "NON"; "" for CoAP
// over TCP and TLS, which has neither CON nor NON (RFC 8323).
func (b *Binding) Quality() string {
	switch {
	case b.Channel != ChannelCoAP:
		return "QoS " + strconv.Itoa(int(b.QoS))
	case b.Transport == TransportTCP || b.Transport == TransportTLS:
		return ""
	case b.QoS == 0:
		return "NON"
	}
	return "CON"
}

// Speech is all that people want to know of how a binding's devices speak: "MQTT 5 over TLS, QoS 1,
// client paho.golang".
func (b *Binding) Speech() string {
	text := b.Protocol().String()
	if q := b.Quality(); q != "" {
		text += ", " + q
	}
	if b.Client != ClientOwn {
		text += ", client " + string(b.Client)
	}
	return text
}
