package profiles

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// wire reads the fields that set the client, security and protocol of a fleet. It ignores other names.
func (r *reader) wire(fleet *Fleet, name string, n ast.Node, what string) {
	b := &fleet.Binding
	switch name {
	case "client":
		b.Client = sim.Client(value(r, n, what, oneOf("client", words.Clients()...)))
	case "security":
		r.security(b, r.fields(n, what, securityForm{}), what)
	case "mqtt":
		r.mqtt(b, r.fields(n, what, mqttForm{}), what)
	case "coap":
		r.coap(&b.CoAP, r.fields(n, what, coapForm{}), what)
	case "commands":
		f := r.fields(n, what, commandsForm{})
		for _, need := range []string{"topic", "reply"} {
			if f != nil && f[need] == nil {
				r.fail(n, "%s has no %s: add %s: \"{fleet}/{id}/%s\"", what, need, need, need)
			}
		}
		qos := byte(1)
		fleet.Commands = &sim.Skill{Name: sim.SkillObey, QoS: &qos}
		each(f, what, func(name string, n ast.Node, what string) {
			switch name {
			case "topic":
				fleet.Commands.Listen = value(r, n, what, parseTopic)
			case "reply":
				fleet.Commands.Topic = value(r, n, what, parseTopic)
			case "qos":
				qos = value(r, n, what, parseLevel)
			}
		})
	default:
		return
	}
	fleet.said(name)
}

func (f *Fleet) said(what string) {
	if !slices.Contains(f.Said, what) {
		f.Said = append(f.Said, what)
		slices.Sort(f.Said)
	}
}

// each calls f for the fields in the order of their names, so that the order of the mistakes is fixed.
func each(fields map[string]ast.Node, what string, f func(name string, n ast.Node, what string)) {
	for _, name := range sortedNames(fields) {
		f(name, fields[name], what+": "+name)
	}
}

func sortedNames(fields map[string]ast.Node) []string {
	var list []string
	for name := range fields {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func (r *reader) security(b *sim.Binding, f map[string]ast.Node, what string) {
	s := &b.Security
	each(f, what, func(name string, n ast.Node, what string) {
		switch name {
		case "credential":
			s.Credential = sim.Credential(value(r, n, what, oneOf("credential", "certificate", "psk")))
		case "ca":
			if s.CA, _ = r.text(n, what); s.CA != "" && !path.IsAbs(s.CA) {
				s.CA = path.Join(path.Dir(r.file), s.CA)
			}
		case "server_name":
			s.ServerName, _ = r.text(n, what)
		case "tls":
			s.TLS = value(r, n, what, oneOf("version", "1.2", "1.3"))
		case "resume":
			s.Resume = value(r, n, what, parseFlag)
		case "cid":
			s.CID = value(r, n, what, parseFlag)
		case "username":
			s.Username, _ = r.text(n, what)
		case "password":
			text, _ := r.text(n, what)
			if s.Password = sim.ParseSecret(text); s.Password.File() != "" && !path.IsAbs(s.Password.File()) {
				s.Password.Ref = "file:" + path.Join(path.Dir(r.file), s.Password.File())
			}
		}
	})
}

func (r *reader) mqtt(b *sim.Binding, f map[string]ast.Node, what string) {
	m := &b.MQTT
	each(f, what, func(name string, n ast.Node, what string) {
		switch name {
		case "keep_alive":
			b.KeepAlive = value(r, n, what, keepAlive)
		case "inflight":
			b.Inflight = value(r, n, what, between(1, 65_535))
		case "retain":
			m.Retain = value(r, n, what, parseFlag)
		case "pings_unheard":
			m.Liveness.Heard = value(r, n, what, positive)
		case "answer_within":
			m.Liveness.Answer = value(r, n, what, positive)
		case "max_packet":
			m.MaxPacket = value(r, n, what, between(64, 268_435_460))
		case "topic_aliases":
			m.TopicAliases = value(r, n, what, between(0, 65_535))
		case "will":
			m.Will = r.will(n, what)
		case "subscribe":
			for i, item := range r.items(n, what) {
				m.Subscribe = append(m.Subscribe, r.subscription(item, fmt.Sprintf("%s %d", what, i+1)))
			}
		}
	})
}

func (r *reader) will(n ast.Node, what string) *sim.Will {
	w := &sim.Will{QoS: 1}
	f := r.fields(n, what, willForm{})
	if f != nil && f["topic"] == nil {
		r.fail(n, "%s has no topic: add topic: \"{fleet}/{id}/state\"", what)
	}
	each(f, what, func(name string, n ast.Node, what string) {
		switch name {
		case "topic":
			w.Topic = value(r, n, what, parseTopic)
		case "payload":
			w.Payload, _ = r.text(n, what)
		case "qos":
			w.QoS = value(r, n, what, parseLevel)
		case "retain":
			w.Retain = value(r, n, what, parseFlag)
		case "delay":
			w.Delay = value(r, n, what, positive)
		}
	})
	return w
}

func (r *reader) subscription(n ast.Node, what string) sim.Subscription {
	s := sim.Subscription{QoS: 1}
	f := r.fields(n, what, subscriptionForm{})
	if f != nil && f["filter"] == nil {
		r.fail(n, "%s has no filter: add filter: \"sites/+/alerts\"", what)
	}
	each(f, what, func(name string, n ast.Node, what string) {
		switch name {
		case "filter":
			s.Filter, _ = r.text(n, what)
		case "qos":
			s.QoS = value(r, n, what, parseLevel)
		}
	})
	return s
}

func (r *reader) coap(c *sim.CoAP, f map[string]ast.Node, what string) {
	each(f, what, func(name string, n ast.Node, what string) {
		switch name {
		case "ack_timeout":
			c.AckTimeout = value(r, n, what, positive)
		case "random_factor":
			c.RandomFactor = value(r, n, what, parseFactor)
		case "max_retransmit":
			c.MaxRetransmit = new(value(r, n, what, between(0, 20)))
		case "nstart":
			c.NStart = value(r, n, what, between(1, 1000))
		case "method":
			c.Method = value(r, n, what, oneOf("method", words.Methods()...))
		case "block_size":
			c.BlockSize = value(r, n, what, parseBlock)
		case "token_size":
			c.TokenSize = value(r, n, what, between(1, 65_804))
		case "observe":
			for i, item := range r.items(n, what) {
				path := value(r, item, fmt.Sprintf("%s %d", what, i+1), parseTopic)
				c.Observe = append(c.Observe, strings.TrimPrefix(path, "/"))
			}
		}
	})
}

// items are the members of a list.
func (r *reader) items(n ast.Node, what string) []ast.Node {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fail(n, "%s is %s: write a list", what, kind(n))
		return nil
	}
	return list.Values
}

func parseFlag(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, fmt.Errorf("%q is neither true nor false", text)
	}
	return text == "true", nil
}

// parseLevel reads a quality of service of MQTT.
func parseLevel(text string) (byte, error) {
	q, err := words.ParseQoS(text)
	if err == nil {
		err = q.Fits(sim.ChannelMQTT)
	}
	return q.Level, err
}

func parseFactor(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 1 && v <= 10) {
		return 0, fmt.Errorf("%q is not a factor: write it like 1.5, from 1 to 10", text)
	}
	return v, nil
}

// parseBlock reads a block size of RFC 7959 section 2.2.
func parseBlock(text string) (int, error) {
	for size := 16; size <= 1024; size *= 2 {
		if text == strconv.Itoa(size) {
			return size, nil
		}
	}
	return 0, fmt.Errorf("%q is not a block size: there are 16, 32, 64, 128, 256, 512 and 1024", text)
}

func between(low, high int) func(string) (int, error) {
	return func(text string) (int, error) {
		n, err := words.ParseCount(text)
		if err == nil && (n < low || n > high) {
			err = fmt.Errorf("%s is out of range: from %s to %s", words.Quote(text), words.PrintCount(low), words.PrintCount(high))
		}
		return n, err
	}
}

func oneOf(what string, list ...string) func(string) (string, error) {
	return func(text string) (string, error) {
		return words.OneOf(what, text, list)
	}
}
