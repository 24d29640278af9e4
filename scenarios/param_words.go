package scenarios

import (
	"slices"
	"strconv"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// curve is a shape of arrival, with the file name if it is "following".
type curve struct {
	shape sim.Curve
	file  string
}

// selection is a part of a fleet as the story writes it. The compiler checks it against the fleet.
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

// laterBrokers are brokers of the vocabulary that Myriad cannot start yet.
func laterBrokers() []string { return []string{"emqx", "hivemq-ce", "nanomq", "vernemq"} }

func parseBroker(text string) (string, error) {
	if slices.Contains(targets.Brokers(), text) {
		return text, nil
	}
	if slices.Contains(laterBrokers(), text) {
		return "", wrong("write "+list(targets.Brokers(), "or"), "the broker %s is not available in this version", text)
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
		v, err := words.ParsePercent(what)
		s.percent = v
		return s, err
	}
	num, ok := strings.CutSuffix(strings.TrimSuffix(what, "s"), " device")
	if !ok {
		return s, errParse
	}
	n, err := words.ParseCount(num)
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
	d, err := words.ParseDuration(span)
	if err != nil {
		return sim.Window{}, err
	}
	if d <= 0 {
		return sim.Window{}, wrong("it must be longer than 0s", "the window %q is empty", text)
	}
	return sim.Window{Kind: kind, Span: d}, nil
}
