package profiles

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/payload"
)

// top reads the file: signals first, because models use them, and models before fleets.
func (r *reader) top(n ast.Node) {
	f := r.fields(n, "the file", fileForm{})
	for _, section := range []struct {
		name string
		read func(entry)
	}{{"signals", r.signal}, {"models", r.model}, {"fleets", r.fleet}, {"targets", r.target}} {
		if f[section.name] == nil {
			continue
		}
		entries, _ := r.entries(f[section.name], section.name)
		for _, e := range entries {
			if err := parseName(e.name); err != nil {
				r.fail(e.key, "%s: %v", section.name, err)
				continue
			}
			section.read(e)
		}
	}
}

func (r *reader) signal(e entry) {
	s, ok := r.law(e.value, fmt.Sprintf("signal %q", e.name))
	if !ok {
		s = sim.Signal{Law: sim.LawConstant} // so that the models that use it get no second error
	}
	named(&r.out.Signals, e.name, s)
}

// law reads a signal in words, or the name of a signal.
func (r *reader) law(n ast.Node, what string) (sim.Signal, bool) {
	text, ok := r.text(n, what)
	if !ok {
		return sim.Signal{}, false
	}
	if s, ok := lookup(r.out.Signals, r.base.Signals, text); ok {
		return s, true
	}
	s, err := ParseSignal(text, r.open)
	if err != nil {
		if parseName(text) == nil && !isForm(text) {
			err = fmt.Errorf("unknown signal %q: there are %s; or write it in words, like %q",
				text, names(r.out.Signals, r.base.Signals), forms()[0].example)
		}
		r.fail(n, "%s: %v", what, err)
	}
	return s, err == nil
}

func (r *reader) model(e entry) {
	what := fmt.Sprintf("model %q", e.name)
	m := sim.Model{Name: e.name, Encoding: sim.EncodingJSON}
	before := len(r.errs)
	f := r.fields(e.value, what, modelForm{})
	if n := f["encoding"]; n != nil {
		m.Encoding = sim.Encoding(value(r, n, what+": encoding", parseEncoding))
	} else if f["template"] != nil {
		m.Encoding = sim.EncodingTemplate
	}
	if n := f["template"]; n != nil {
		m.Template, _ = r.text(n, what+": template")
	}
	if n := f["signals"]; n != nil {
		entries, _ := r.entries(n, what+": signals")
		for _, s := range entries {
			m.Signals = append(m.Signals, r.modelSignal(s, what, m.Encoding))
		}
	}
	if n := f["buffer"]; n != nil {
		m.Buffer = r.buffer(n, what)
	}
	if len(r.errs) == before { // otherwise it would repeat errors
		if err := payload.Validate(&m); err != nil {
			at := e.key
			if f["template"] != nil {
				at = f["template"]
			}
			r.fail(at, "%s: %v", what, err)
		}
	}
	named(&r.out.Models, e.name, m)
}

func (r *reader) modelSignal(e entry, what string, encoding sim.Encoding) sim.Signal {
	words, unit, before := e.value, "", len(r.errs)
	where := fmt.Sprintf("%s, signal %q", what, e.name)
	if _, ok := e.value.(ast.MapNode); ok {
		f := r.fields(e.value, where, signalForm{})
		if n := f["unit"]; n != nil {
			unit, _ = r.text(n, where+": unit")
		}
		words = f["follows"]
		if words == nil {
			if len(r.errs) == before {
				r.fail(e.key, "%s has no values: add follows: %q", where, forms()[0].example)
			}
			return sim.Signal{Name: e.name}
		}
	}
	s, ok := r.law(words, where)
	s.Name, s.Unit = e.name, unit
	alone := sim.Model{Encoding: encoding, Signals: []sim.Signal{s}}
	if encoding == sim.EncodingTemplate {
		alone.Template = "{stamp}"
	}
	if err := payload.Validate(&alone); ok && err != nil {
		r.fail(e.key, "%s, %v", what, err)
	}
	return s
}

func (r *reader) buffer(n ast.Node, what string) sim.Buffer {
	what += ": buffer"
	f := r.fields(n, what, bufferForm{})
	var b sim.Buffer
	switch {
	case f == nil:
	case f["messages"] == nil:
		r.fail(n, "%s has no size: add messages: 100", what)
	default:
		b.Capacity = value(r, f["messages"], what, words.ParseCount)
	}
	if f["durable"] != nil {
		b.Durable = value(r, f["durable"], what+": durable", parseFlag)
	}
	if f["drop"] != nil {
		b.Newest = value(r, f["drop"], what, func(text string) (bool, error) {
			if text != "oldest" && text != "newest" {
				return false, fmt.Errorf("%q cannot be dropped: there are oldest and newest", text)
			}
			return text == "newest", nil
		})
	}
	return b
}

func parseEncoding(text string) (string, error) {
	for _, e := range payload.Encodings() {
		if e == text {
			return e, nil
		}
	}
	return "", fmt.Errorf("unknown encoding %q: there are %s", text, strings.Join(payload.Encodings(), ", "))
}

func (r *reader) fleet(e entry) {
	what := fmt.Sprintf("fleet %q", e.name)
	fleet := Fleet{Origin: r.origin(e.key)}
	f := r.fields(e.value, what, fleetForm{})
	for _, need := range []struct{ name, example string }{{"count", "1,000"}, {"model", "sensor"}} {
		if f != nil && f[need.name] == nil {
			r.fail(e.key, "%s has no %s: add %s: %s", what, need.name, need.name, need.example)
		}
	}
	for name, n := range f {
		where := what + ": " + name
		switch name {
		case "count":
			fleet.Count = value(r, n, where, words.ParseCount)
		case "model":
			fleet.Model = value(r, n, where, r.modelName)
		case "protocol":
			fleet.Protocol = new(value(r, n, where, words.ParseProtocol))
		case "qos":
			fleet.QoS = new(value(r, n, where, words.ParseQoS))
		case "every":
			fleet.Every = value(r, n, where, positive)
		case "topic":
			fleet.Topic = value(r, n, where, parseTopic)
		case "jitter":
			fleet.Jitter = value(r, n, where, words.ParseShare)
		case "session":
			fleet.Session = value(r, n, where, words.ParseDuration)
		case "retry":
			fleet.Retry = r.retry(n, where)
		default:
			r.wire(&fleet, name, n, where)
		}
	}
	channel := sim.ChannelMQTT
	if fleet.Protocol != nil {
		channel = fleet.Protocol.Channel
	}
	if channel == sim.ChannelCoAP && f["session"] != nil {
		r.fail(f["session"], "%s: CoAP has no session: leave it out", what)
	}
	if channel != "" && fleet.QoS != nil {
		if err := fleet.QoS.Fits(channel); err != nil {
			r.fail(f["qos"], "%s: qos: %v", what, err)
		}
	}
	named(&r.out.Fleets, e.name, fleet)
}

func (r *reader) modelName(text string) (string, error) {
	if _, ok := lookup(r.out.Models, r.base.Models, text); !ok {
		return "", fmt.Errorf("unknown model %q: there are %s", text, names(r.out.Models, r.base.Models))
	}
	return text, nil
}

func (r *reader) retry(n ast.Node, what string) *sim.Retry {
	if _, ok := n.(ast.MapNode); !ok {
		return new(value(r, n, what, func(text string) (sim.Retry, error) {
			p, ok := sim.RetrySpecimen(text)
			if !ok {
				return p, fmt.Errorf("unknown policy %q: there are %s; or write {from: 1s, to: 60s, jitter: 20%%}",
					text, strings.Join(sim.RetryNames(), ", "))
			}
			return p, nil
		}))
	}
	f := r.fields(n, what, retryForm{})
	p := sim.Retry{Factor: 2}
	if f["from"] == nil || f["to"] == nil {
		r.fail(n, "%s needs from and to: write {from: 1s, to: 60s, jitter: 20%%}", what)
		return &p
	}
	before := len(r.errs)
	p.Base, p.Max = value(r, f["from"], what, positive), value(r, f["to"], what, positive)
	if f["jitter"] != nil {
		p.Jitter = value(r, f["jitter"], what, words.ParseShare)
	}
	p.Stable = sim.StableAfter(p.Max)
	if f["stable"] != nil {
		p.Stable = value(r, f["stable"], what, words.ParseDuration)
	}
	if p.Max < p.Base && len(r.errs) == before {
		r.fail(f["to"], "%s: to %s is below from %s: the shorter delay comes first", what,
			words.PrintDuration(p.Max.D()), words.PrintDuration(p.Base.D()))
	}
	return &p
}

func (r *reader) target(e entry) {
	what := fmt.Sprintf("target %q", e.name)
	before := len(r.errs)
	f := r.fields(e.value, what, targetForm{})
	t := sim.TargetSpec{Origin: r.origin(e.key)}
	if n := f["kind"]; n != nil {
		t.Kind = value(r, n, what+": kind", parseKind)
	} else if f != nil {
		r.fail(e.key, "%s has no kind: add kind: embedded, container or external", what)
	}
	if n := f["broker"]; n != nil {
		t.Name = value(r, n, what+": broker", parseBroker)
	}
	if n := f["version"]; n != nil {
		t.Version, _ = r.text(n, what+": version")
	}
	for _, s := range sim.Schemes() {
		if list := r.addresses(f[string(s)], what, s); len(list) > 0 {
			t.Endpoints = t.Endpoints.Add(sim.Endpoints{s: list})
		}
	}
	if n := f["username"]; n != nil {
		t.Login.Username, _ = r.text(n, what+": username")
	}
	if n := f["password"]; n != nil {
		text, _ := r.text(n, what+": password")
		t.Login.Password = sim.ParseSecret(text)
	}
	if len(r.errs) == before {
		r.targetFits(e, f, t.Kind, what)
	}
	if len(r.errs) == before {
		r.loginFits(f, &t, what)
	}
	named(&r.out.Targets, e.name, t)
}

// targetFits reports the fields that do not fit the kind of target.
func (r *reader) targetFits(e entry, f map[string]ast.Node, k sim.TargetKind, what string) {
	somewhere := false
	names := []string{"broker", "version", "username", "password"}
	for _, s := range sim.Schemes() {
		names = append(names, string(s))
		somewhere = somewhere || f[string(s)] != nil
	}
	for _, name := range names {
		owner := sim.TargetContainer
		if sim.Scheme(name).Channel() != "" || name == "username" || name == "password" {
			owner = sim.TargetExternal
		}
		if f[name] != nil && k != owner {
			r.fail(f[name], "%s: %s is for kind %s, and this one is %s: leave it out", what, name, owner, k)
		}
	}
	switch {
	case k == sim.TargetContainer && f["broker"] == nil:
		r.fail(e.key, "%s has no broker: add broker: %s", what, words.List(targets.Brokers(), "or"))
	case k == sim.TargetExternal && !somewhere:
		r.fail(e.key, "%s has no address: add mqtt: host:1883 or coap: host:5683", what)
	}
}

// loginFits reports a login that nobody can show.
func (r *reader) loginFits(f map[string]ast.Node, t *sim.TargetSpec, what string) {
	l := &t.Login
	switch {
	case f["username"] != nil && l.Username == "":
		r.fail(f["username"], "%s: the user name is empty: leave username out, or write one", what)
	case f["password"] != nil && l.Username == "":
		r.fail(f["password"], "%s has a password and no user name: add username", what)
	case f["password"] != nil && l.Password == sim.Secret{}:
		r.fail(f["password"], "%s: the password is empty: leave password out, or write one", what)
	case l.Username != "" && !t.Endpoints.Has(sim.ChannelMQTT):
		r.fail(f["username"], "%s has a user name and no MQTT broker, and CoAP has none: leave username out", what)
	}
}

func parseBroker(text string) (string, error) { return words.OneOf("broker", text, targets.Brokers()) }

func parseKind(text string) (sim.TargetKind, error) {
	switch k := sim.TargetKind(text); k {
	case sim.TargetEmbedded, sim.TargetContainer, sim.TargetExternal:
		return k, nil
	case sim.TargetVirtual: // it has nothing that a profile could say: its name is enough
	}
	return "", fmt.Errorf("unknown kind %q: there are embedded, container and external", text)
}

// addresses reads one address or a list; n may be nil.
func (r *reader) addresses(n ast.Node, what string, scheme sim.Scheme) []string {
	what += ": " + string(scheme)
	list, ok := n.(*ast.SequenceNode)
	switch {
	case n == nil:
		return nil
	case !ok:
		return []string{value(r, n, what, parseAddress(scheme))}
	case len(list.Values) == 0:
		r.fail(n, "%s: an empty list: write host:port", what)
	}
	var all []string
	for _, v := range list.Values {
		all = append(all, value(r, v, what, parseAddress(scheme)))
	}
	return all
}
