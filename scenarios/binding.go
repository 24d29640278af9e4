package scenarios

import (
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/profiles"
	"github.com/myriad-iot/myriad/sim"
)

// checkBinding refuses what does not fit together in the way a fleet speaks.
func (c *compiler) checkBinding(f *fleet) error {
	b := &f.binding
	spoken := "CoAP"
	if f.mqtt() {
		spoken = "MQTT " + b.Version
	}
	for _, rule := range []struct {
		what string // as it was said
		fits bool
		hint string
		text string
	}{
		{"session", f.mqtt(), "only MQTT fleets keep one", "the fleet %q speaks CoAP, which has no session"},
		{"keep-alive", f.mqtt() || b.Transport == sim.TransportTCP || b.Transport == sim.TransportTLS, "speak MQTT, or CoAP over TCP",
			"the fleet %q speaks CoAP over datagrams, which have no connection to keep alive"},
		{"keep-alive", !f.mqtt() || profiles.KeepAliveFits(b.KeepAlive.D()), profiles.KeepAliveHint,
			"the fleet %q has a keep-alive of " + b.KeepAlive.String()},
		{"will", f.mqtt(), "only MQTT fleets leave one", "the fleet %q speaks CoAP, which has no will"},
		{"will delay", !f.mqtt() || b.Version == "5", "speak MQTT 5", "the fleet %q speaks MQTT 3.1.1, which has no will delay"},
		{"retain", f.mqtt(), "only MQTT brokers retain", "the fleet %q speaks CoAP, which has no retained messages"},
		{"subscribe", f.mqtt(), fmt.Sprintf("write `fleet %q observes \"path\"`", f.name), "the fleet %q speaks CoAP, which has no subscriptions"},
		{"aliases", f.mqtt() && b.Version == "5", "speak MQTT 5", "the fleet %q speaks " + spoken + ", which has no topic aliases"},
		{"observe", !f.mqtt(), fmt.Sprintf("write `fleet %q subscribes to \"topic\"`", f.name), "the fleet %q speaks MQTT, which has no Observe"},
		{"coap", !f.mqtt(), "leave it out, or speak CoAP", "the fleet %q speaks MQTT and has settings of CoAP"},
		{"login", f.mqtt(), "leave them out: CoAP devices show a certificate or a key", "the fleet %q speaks CoAP, which has no user name and password"},
		{"certificate", b.Transport.Secured(), "speak over TLS or DTLS, as in `speaks " + spoken + " over TLS`",
			"the devices of %q have certificates and nobody asks for them: they do not speak over TLS"},
		{"psk", b.Transport == sim.TransportDTLS, fmt.Sprintf("write `fleet %q speaks CoAP over DTLS`, or give every device its own certificate", f.name),
			"the fleet %q does not speak over DTLS, and only DTLS takes pre-shared keys"},
		{"cid", b.Transport == sim.TransportDTLS, fmt.Sprintf("write `fleet %q speaks CoAP over DTLS`", f.name),
			"the fleet %q does not speak over DTLS, and only DTLS has a Connection ID"},
		{"resume", b.Transport.Secured(), "speak over TLS or DTLS", "the fleet %q has no TLS sessions to resume"},
		{"security", b.Transport.Secured(), "speak over TLS or DTLS", "the fleet %q does not speak over TLS and has settings of it"},
		{"client", c.speaks(f), clientHint(b.Client), "the fleet %q speaks " + spoken + ", which the client does not"},
	} {
		if at, said := f.said[rule.what]; said && !rule.fits {
			return wrongAt(at, rule.hint, rule.text, f.name)
		}
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

// goCoAPLacks says what of a binding the go-coap client cannot do here: what the package sim/coap/specimen
// refuses when devices are made of it.
func goCoAPLacks(b *sim.Binding) (lacks, hint string) {
	const own = "leave the client out: Myriad's own does it"
	p := &b.CoAP
	switch method := strings.ToUpper(p.Method); {
	case b.Client != sim.ClientGoCoAP:
		return "", ""
	case b.Transport != sim.TransportPlain:
		return "speaks CoAP over UDP only, not over " + strings.ToUpper(string(b.Transport)), own + ", or speak plain CoAP"
	case len(p.Observe) > 0:
		return "observes nothing", own
	case b.Commands.Topic != "":
		return "takes no commands", own
	case method != "" && method != "POST" && method != "PUT":
		return "sends no reports by " + p.Method, own + `, or report by "POST" or "PUT"`
	case p.TokenSize != 0 && p.TokenSize != 8:
		return "has tokens of 8 bytes only", "leave token_size out"
	case p.RandomFactor > 1:
		return "has no ACK_RANDOM_FACTOR", "leave random_factor out"
	case p.MaxRetransmit != nil && *p.MaxRetransmit < 1:
		return "forgets a message before its answer if it repeats none", "repeat up to 1 time or more"
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

// covers reports whether an MQTT topic filter takes every topic of another filter with a common shape:
// placeholders stand for one level.
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
