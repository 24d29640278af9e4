package scenarios

import (
	"errors"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// paramType is a type of parameter: the text that it accepts and how that text is parsed.
type paramType struct {
	name    string
	what    string // "a duration"
	accepts string // "250ms, 5m, 1m30s or 7d"
	pattern string // without capturing groups
	parse   func(text string) (any, error)
}

// paramTypes lists the types of parameters beside {string}.
func paramTypes() []paramType {
	return []paramType{
		shared(words.Count, words.ParseCount),
		shared(words.Duration, words.ParseDuration),
		shared(words.Rate, words.ParseRate),
		shared(words.Percent, words.ParsePercent),
		shared(words.Size, words.ParseSize),
		shared(words.CPU, words.ParseCPU),
		shared(words.Times, words.ParseTimes),
		{"percentile", "a percentile", `p50, p99, p99.9, median, max or mean`,
			`p\d+(?:\.\d+)?|median|max|mean`, func(s string) (any, error) { return parsePercentile(s) }},
		{"bound", "a bound", `below, at most, above, at least or exactly`,
			`below|at most|above|at least|exactly`, func(s string) (any, error) { return parseBound(s) }},
		{"metric", "a metric", `connect, publish, end-to-end, storage, command, observe, delivery, pubrec, pubcomp, handshake, resumption or connecting`,
			`connect|publish|end-to-end|storage|command|observe|delivery|pubrec|pubcomp|handshake|resumption|connecting|enrollment|update`,
			func(s string) (any, error) { return parseMetric(s) }},
		shared(words.QoS, words.ParseQoS),
		shared(words.Protocol, words.ParseProtocol),
		{"broker", "a broker", list(targets.Brokers(), "or"), strings.Join(append(targets.Brokers(), laterBrokers()...), "|"),
			func(s string) (any, error) { return parseBroker(s) }},
		{"curve", "a curve", `evenly, in bursts, exponentially or following "arrivals.csv"`,
			`evenly|in bursts|exponentially|following "[^"]*"`, func(s string) (any, error) { return parseCurve(s) }},
		{"selection", "a selection", `all devices of "rooms", 10% of "rooms", 500 devices of "rooms" or device "rooms-42"`,
			`all devices of "[^"]*"|` + words.Percent.Pattern() + ` of "[^"]*"|(?:` + words.Count.Pattern() + `) devices? of "[^"]*"|device "[^"]*"`,
			func(s string) (any, error) { return parseSelection(s) }},
		{"network", "a network", list(networkNames(), "or"), strings.Join(networkNames(), "|"),
			func(s string) (any, error) { return parseNetwork(s) }},
		{"window", "a window", `during the run, during phase "rush", in the last 5m, after recovery or in every 10s`,
			`during the run|during phase "[^"]*"|in the last \S+|after recovery|in every \S+`,
			func(s string) (any, error) { return parseWindow(s) }},
	}
}

// shared makes a parameter type of a kind of value that profiles use too.
func shared[T any](k words.Kind, parse func(string) (T, error)) paramType {
	return paramType{string(k), k.What(), k.Accepts(), k.Pattern(), func(s string) (any, error) { return parse(s) }}
}

// typesByName are paramTypes by their names. To make them takes longer than to use one.
func typesByName() map[string]*paramType {
	types := map[string]*paramType{}
	for _, t := range paramTypes() {
		types[t.name] = &t
	}
	return types
}

// value parses text. The error says what would be valid.
func (t *paramType) value(text string) (any, error) {
	v, err := t.parse(text)
	if err == errParse {
		return nil, wrong("write "+t.accepts, "%s is not %s", quote(text), t.what)
	}
	if err != nil {
		return nil, asMistake(err)
	}
	return v, nil
}

var errParse = errors.New("not of the type")

func parsePercentile(text string) (float64, error) {
	switch text {
	case "median":
		return 0.5, nil
	case "max":
		return sim.QuantileMax, nil
	case "mean":
		return sim.QuantileMean, nil
	}
	num, ok := strings.CutPrefix(text, "p")
	if !ok {
		return 0, errParse
	}
	v, err := words.ParseNumber(num)
	if err != nil {
		return 0, errParse
	}
	if v <= 0 || v >= 100 {
		return 0, wrong("write p50, p99, p99.9 or max", "%s is not a percentile", text)
	}
	return words.Share(v), nil
}
