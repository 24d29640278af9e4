package scenarios

import (
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// checkBinding refuses settings of a fleet's protocol, transport and client that do not fit together.
func (c *compiler) checkBinding(f *fleet) error {
	b := &f.binding
	broker := f.mqtt() || f.obeysBy().Channel == sim.ChannelMQTT
	spoken := sim.Protocol{Channel: b.Channel, Version: b.Version}.String()
	for _, rule := range []struct {
		what string // the key in fleet.said
		fits bool
		hint string
		text string
	}{
		{"session", f.mqtt(), "only MQTT fleets keep one", "the fleet %q speaks CoAP, which has no session"},
		{"keep-alive", f.mqtt() || b.KeepAlive > 0 && (b.Transport == sim.TransportTCP || b.Transport == sim.TransportTLS), "speak MQTT, or CoAP over TCP",
			"the fleet %q speaks CoAP over datagrams, which have no connection to keep alive"},
		{"keep-alive", !f.mqtt() || b.KeepAlive == sim.KeepAliveOff || words.KeepAliveFits(b.KeepAlive.D()), words.KeepAliveHint,
			"the fleet %q has a keep-alive of " + words.PrintDuration(b.KeepAlive.D())},
		{"lifetime", f.mqtt(), "leave it out, or speak MQTT", "the fleet %q speaks CoAP, whose devices do not reconnect by the clock"},
		{"will", f.mqtt(), "only MQTT fleets have one", "the fleet %q speaks CoAP, which has no will"},
		{"will delay", !f.mqtt() || b.Version == "5", "speak MQTT 5", "the fleet %q speaks MQTT 3.1.1, which has no will delay"},
		{"retain", f.mqtt(), "only MQTT brokers retain", "the fleet %q speaks CoAP, which has no retained messages"},
		{"subscribe", f.mqtt(), fmt.Sprintf("write `fleet %q observes \"path\"`", f.name), "the fleet %q speaks CoAP, which has no subscriptions"},
		{"aliases", f.mqtt() && b.Version == "5", "speak MQTT 5", "the fleet %q speaks " + spoken + ", which has no topic aliases"},
		{"liveness", f.mqtt(), "leave it out, or speak MQTT", "the fleet %q speaks CoAP, which repeats a message and then gives up"},
		{"liveness", b.Client == sim.ClientOwn, "leave the client out", "the " + string(b.Client) + " client of %q has a policy of its own for that"},
		{"packets", f.mqtt(), "leave it out, or speak MQTT", "the fleet %q speaks CoAP, whose messages are divided into blocks"},
		{"observe", !f.mqtt(), fmt.Sprintf("write `fleet %q subscribes to \"topic\"`", f.name), "the fleet %q speaks MQTT, which has no Observe"},
		{"coap", !f.mqtt(), "leave it out, or speak CoAP", "the fleet %q speaks MQTT, but it has CoAP settings"},
		{"login", broker, "leave them out: CoAP devices authenticate with a certificate or a key", "the fleet %q speaks CoAP, which has no user name and password"},
		{"client id", broker, "leave it out", "the fleet %q speaks CoAP, which has no client identifier"},
		{"certificate", b.Transport.Secured(), "speak over TLS or DTLS, as in `speaks " + spoken + " over TLS`",
			"the devices of %q have certificates, but they do not speak over TLS or DTLS, so no server asks for the certificates"},
		{"psk", b.Transport == sim.TransportDTLS, fmt.Sprintf("write `fleet %q speaks CoAP over DTLS`, or give every device its own certificate", f.name),
			"the fleet %q does not speak over DTLS, and only DTLS takes pre-shared keys"},
		{"cid", b.Transport == sim.TransportDTLS, fmt.Sprintf("write `fleet %q speaks CoAP over DTLS`", f.name),
			"the fleet %q does not speak over DTLS, and only DTLS has a Connection ID"},
		{"resume", b.Transport.Secured(), "speak over TLS or DTLS", "the fleet %q does not speak over TLS or DTLS, so it has no TLS sessions to resume"},
		{"security", b.Transport.Secured(), "speak over TLS or DTLS", "the fleet %q does not speak over TLS or DTLS, but it has TLS settings"},
		{"client", c.speaks(f), clientHint(b.Client), "the fleet %q speaks " + spoken + ", which its client does not support"},
	} {
		if at, said := f.said[rule.what]; said && !rule.fits {
			return wrongAt(at, rule.hint, rule.text, f.name)
		}
	}
	if f.control != nil && f.control.Channel == b.Channel {
		return wrongAt(f.said["commands"], fmt.Sprintf("leave `over %s` out", sim.Protocol{Channel: f.control.Channel, Version: f.control.Version}),
			"the fleet %q reports over %s, so its commands come by the same connection", f.name, b.Channel.Name())
	}
	if b.Client == sim.ClientGoCoAP && f.obeys != nil && f.control == nil {
		return wrongAt(f.said["client"], "leave the client out: Myriad's own client supports it", "the go-coap client of %q takes no commands", f.name)
	}
	if f.nat != nil && f.nat.Resets && b.Datagrams() && (f.control == nil || f.control.Datagrams()) {
		return wrongAt(f.said["nat"], "leave `and answers with a reset` out", "the fleet %q speaks CoAP over datagrams, which know no reset", f.name)
	}
	if b.Client == sim.ClientGoCoAP && (f.conditions() != nil || f.nat != nil) {
		return wrongAt(f.said["client"], "leave the client out: Myriad's own client supports it", "the go-coap client of %q reads its socket itself, so nothing can be wrong with its link", f.name)
	}
	if lacks, hint := goCoAPLacks(b); lacks != "" {
		return wrongAt(f.said["client"], hint, "the go-coap client of %q "+lacks, f.name)
	}
	switch {
	case !f.mqtt() && b.QoS > 1:
		return wrongAt(f.at, "write qos: 1 (CON) or 0 (NON)", "the fleet %q speaks CoAP, which has no QoS 2", f.name)
	case !f.mqtt() && b.QoS == 0 && (b.Transport == sim.TransportTCP || b.Transport == sim.TransportTLS):
		return wrongAt(f.at, "leave it out", "CoAP over TCP has no NON: every request is answered (RFC 8323)")
	}
	return nil
}

// speaks reports whether the fleet's client knows its protocol.
func (c *compiler) speaks(f *fleet) bool {
	switch f.binding.Client {
	case sim.ClientPaho:
		return f.mqtt() && f.binding.Version == "3.1.1"
	case sim.ClientPahoGolang:
		return f.mqtt() && f.binding.Version == "5"
	case sim.ClientGoCoAP:
		return !f.mqtt()
	}
	return true
}

func clientHint(c sim.Client) string {
	switch c {
	case sim.ClientPaho:
		return "paho speaks MQTT 3.1.1"
	case sim.ClientPahoGolang:
		return "paho.golang speaks MQTT 5"
	}
	return "go-coap speaks CoAP"
}

// goCoAPLacks says which part of a binding the go-coap client does not support. It must agree with the
// package sim/coap/specimen, which refuses the same bindings when it creates devices.
func goCoAPLacks(b *sim.Binding) (lacks, hint string) {
	const own = "leave the client out: Myriad's own client supports it"
	p := &b.CoAP
	switch method := strings.ToUpper(p.Method); {
	case b.Client != sim.ClientGoCoAP:
		return "", ""
	case b.Transport != sim.TransportPlain:
		return "speaks CoAP over UDP only, not over " + b.Transport.Name(), own + ", or speak plain CoAP"
	case len(p.Observe) > 0:
		return "observes nothing", own
	case method != "" && method != "POST" && method != "PUT":
		return "sends no reports by " + p.Method, own + `, or report by "POST" or "PUT"`
	case p.TokenSize != 0 && p.TokenSize != 8:
		return "supports tokens of 8 bytes only", "leave token_size out"
	case p.RandomFactor > 1:
		return "has no ACK_RANDOM_FACTOR", "leave random_factor out"
	case p.MaxRetransmit != nil && *p.MaxRetransmit < 1:
		return "drops a message before its answer can arrive if it never repeats one", "repeat up to 1 time or more"
	}
	return "", ""
}

// checkName checks a topic name or path that devices write to; it has {id} and {fleet}.
func checkName(f *fleet, what, text string) error {
	rest := strings.NewReplacer("{id}", "x", "{fleet}", "x").Replace(text)
	switch {
	case strings.Trim(rest, "/ ") == "":
		return wrong(`write for example "{fleet}/{id}/`+what+`"`, "the %s has an empty topic", what)
	case strings.ContainsAny(rest, "{}"):
		return wrong("a topic has {id} and {fleet}", "unknown placeholder in the topic %q", text)
	case strings.ContainsAny(rest, "+#\x00"):
		return wrong("+ and # are for subscribers only", "the %s cannot have the wildcard topic %q", what, text)
	case len(text) > 1024:
		return wrong("at most 1024 bytes", "the topic is too long")
	}
	return nil
}

// checkFilter checks a topic filter (MQTT 5 section 4.7.1), shared or not.
func checkFilter(text string) error {
	filter := text
	if rest, shared := strings.CutPrefix(text, "$share/"); shared {
		group, f, ok := strings.Cut(rest, "/")
		if !ok || group == "" || strings.ContainsAny(group, "+#") {
			return wrong(`write for example "$share/workers/sites/+/alerts"`, "%q is not a shared subscription", text)
		}
		filter = f
	}
	rest := strings.NewReplacer("{id}", "x", "{fleet}", "x").Replace(filter)
	levels := strings.Split(rest, "/")
	for i, l := range levels {
		if strings.Contains(l, "#") && (l != "#" || i < len(levels)-1) || strings.Contains(l, "+") && l != "+" {
			return wrong(`+ is a whole level, # the last one`, "%q is not a topic filter", text)
		}
	}
	switch {
	case rest == "":
		return wrong(`write for example "sites/+/alerts"`, "the filter is empty")
	case strings.ContainsAny(rest, "{}\x00"):
		return wrong("a filter has {id} and {fleet}", "unknown placeholder in the filter %q", text)
	case len(text) > 1024:
		return wrong("at most 1024 bytes", "the filter is too long")
	}
	return nil
}

// covers reports whether an MQTT topic filter matches every topic that the filter topics matches. A
// placeholder counts as one level.
func covers(filter, topics string) bool {
	a, b := strings.Split(filter, "/"), strings.Split(topics, "/")
	for i, l := range a {
		switch {
		case l == "#":
			return i <= len(b)
		case i >= len(b):
			return false
		case l != b[i] && l != "+" && !strings.Contains(l, "{") && b[i] != "+":
			return false
		}
	}
	return len(a) == len(b)
}
