package scenarios

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// speech is the protocol of a fleet.
type speech struct {
	channel   sim.Channel
	version   string // MQTT only
	transport sim.Transport
}

// qos is a quality of service as a story says it.
type qos struct {
	level byte // of sim.Binding
	coap  bool // said as CON or NON
	text  string
}

// curve is a shape, with the file of "following".
type curve struct {
	shape sim.Curve
	file  string
}

// selection is a part of a fleet as a story says it; the compiler checks it against the fleet.
type selection struct {
	fleet   string
	all     bool
	percent float64
	count   int
	device  string // whole device name; the fleet is found by it
	text    string
}

func parseBound(text string) (sim.Bound, error) {
	switch b := sim.Bound(text); b {
	case sim.Below, sim.AtMost, sim.Above, sim.AtLeast, sim.Exactly:
		return b, nil
	}
	return "", errParse
}

func parseMetric(text string) (sim.Op, error) {
	if op, known := sim.ParseOp(text); known {
		return op, nil
	}
	if text == "enrollment" || text == "update" {
		var names []string
		for op := range sim.NumOps {
			names = append(names, op.String())
		}
		return 0, wrong(list(names, "and")+" are", "%s latency is not measured in this version", text)
	}
	return 0, errParse
}

func parseQoS(text string) (qos, error) {
	switch text {
	case "QoS 0":
		return qos{0, false, text}, nil
	case "QoS 1":
		return qos{1, false, text}, nil
	case "NON":
		return qos{0, true, text}, nil
	case "CON":
		return qos{1, true, text}, nil
	case "QoS 2":
		return qos{2, false, text}, nil
	}
	return qos{}, errParse
}

func parseProtocol(text string) (speech, error) {
	s := speech{}
	name, over, carried := strings.Cut(text, " over ")
	switch name {
	case "MQTT", "MQTT 3.1.1":
		s.channel, s.version = sim.ChannelMQTT, "3.1.1"
	case "MQTT 5":
		s.channel, s.version = sim.ChannelMQTT, "5"
	case "CoAP":
		s.channel = sim.ChannelCoAP
	default:
		return s, errParse
	}
	if !carried {
		return s, nil
	}
	transport, known := carriers()[over]
	s.transport = transport
	switch {
	case !known:
		return s, errParse
	case sim.SchemeOf(s.channel, transport) == "":
		var names []string
		for _, c := range slices.Sorted(maps.Keys(carriers())) {
			if sim.SchemeOf(s.channel, carriers()[c]) != "" {
				names = append(names, c)
			}
		}
		return s, wrong("over "+list(names, "or")+" it does", "%s does not run over %s", name, over)
	}
	return s, nil
}

// carriers are the transports as a story says them.
func carriers() map[string]sim.Transport {
	return map[string]sim.Transport{"TLS": sim.TransportTLS, "WebSocket": sim.TransportWS, "secure WebSocket": sim.TransportWSS,
		"DTLS": sim.TransportDTLS, "TCP": sim.TransportTCP}
}

func parseBroker(text string) (string, error) {
	switch text {
	case "mosquitto":
		return text, nil
	case "emqx", "hivemq-ce", "nanomq", "vernemq":
		return "", wrong("mosquitto is", "the broker %s is not available in this version", text)
	}
	return "", errParse
}

func parseCurve(text string) (curve, error) {
	switch c := sim.Curve(text); c {
	case sim.CurveEvenly, sim.CurveBursts, sim.CurveExponentially:
		return curve{c, ""}, nil
	}
	file, ok := strings.CutPrefix(text, `following "`)
	file, closed := strings.CutSuffix(file, `"`)
	if !ok || !closed || file == "" {
		return curve{}, errParse
	}
	return curve{sim.CurveFollowing, file}, nil
}

func parseSelection(text string) (selection, error) {
	s := selection{text: text}
	head, quoted, ok := strings.Cut(text, `"`)
	name, closed := strings.CutSuffix(quoted, `"`)
	if !ok || !closed || strings.Contains(name, `"`) {
		return s, errParse
	}
	if head == "device " {
		i := strings.LastIndexByte(name, '-')
		if i < 1 {
			return s, wrong(`a device is named by its fleet and its number from 0: "rooms-42"`, "%q is not a device", name)
		}
		if _, err := strconv.ParseUint(name[i+1:], 10, 32); err != nil {
			return s, wrong(`a device is named by its fleet and its number from 0: "rooms-42"`, "%q is not a device", name)
		}
		s.fleet, s.device = name[:i], name
		return s, nil
	}
	s.fleet = name
	what, ok := strings.CutSuffix(head, " of ")
	if !ok {
		return s, errParse
	}
	if what == "all devices" {
		s.all = true
		return s, nil
	}
	if strings.HasSuffix(what, "%") {
		v, err := parsePercent(what)
		s.percent = v
		return s, err
	}
	num, ok := strings.CutSuffix(strings.TrimSuffix(what, "s"), " device")
	if !ok {
		return s, errParse
	}
	n, err := parseCount(num)
	s.count = n
	return s, err
}

func parseWindow(text string) (sim.Window, error) {
	if text == "during the run" {
		return sim.Window{}, nil
	}
	if text == "after recovery" {
		return sim.Window{Kind: sim.WindowRecovery}, nil
	}
	if name, ok := strings.CutPrefix(text, `during phase "`); ok && strings.HasSuffix(name, `"`) {
		return sim.Window{Kind: sim.WindowPhase, Phase: strings.TrimSuffix(name, `"`)}, nil
	}
	kind, span := sim.WindowLast, ""
	if rest, ok := strings.CutPrefix(text, "in the last "); ok {
		span = rest
	} else if rest, ok := strings.CutPrefix(text, "in every "); ok {
		kind, span = sim.WindowEvery, rest
	} else {
		return sim.Window{}, errParse
	}
	d, err := parseAs("duration", span)
	if err != nil {
		return sim.Window{}, err
	}
	if d.(sim.Duration) <= 0 {
		return sim.Window{}, wrong("it must be longer than nothing", "the window %q is empty", text)
	}
	return sim.Window{Kind: kind, Span: d.(sim.Duration)}, nil
}
