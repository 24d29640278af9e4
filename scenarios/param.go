package scenarios

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// paramType is a type of parameter: what it looks like and what it becomes.
type paramType struct {
	name    string
	what    string // "a duration"
	accepts string // "250ms, 5m, 1m30s or 7d"
	pattern string // without capturing groups
	parse   func(text string) (any, error)
}

const numberPattern = `\d[\d,_]*(?:\.\d+)?`

// longest is the longest duration of a story: a stamp counts microseconds in 48 bits.
const longest = 366 * 24 * time.Hour

// paramTypes lists the types of parameters beside {string}.
func paramTypes() []paramType {
	return []paramType{
		{"count", "a count", `1000, 250,000, 250k, 1.2M or no`,
			`no|` + numberPattern + `[kM]?`, func(s string) (any, error) { return parseCount(s) }},
		{"duration", "a duration", `250ms, 5m, 1m30s, 7d or 5 minutes`,
			`(?:\d+(?:\.\d+)?(?:ns|us|ms|s|m|h|d))+|` + numberPattern + ` (?:millisecond|second|minute|hour|day)s?`,
			func(s string) (any, error) { return parseDuration(s) }},
		{"rate", "a rate", `10/s, 5,000/s, 500/min or 1/h`,
			numberPattern + `[kM]?/(?:s|min|m|h)`, func(s string) (any, error) { return parseRate(s) }},
		{"percent", "a percentage", `2% or 99.99%`,
			`\d+(?:\.\d+)?%`, func(s string) (any, error) { return parsePercent(s) }},
		{"percentile", "a percentile", `p50, p99, p99.9, median, max or mean`,
			`p\d+(?:\.\d+)?|median|max|mean`, func(s string) (any, error) { return parsePercentile(s) }},
		{"bound", "a bound", `below, at most, above, at least or exactly`,
			`below|at most|above|at least|exactly`, func(s string) (any, error) { return parseBound(s) }},
		{"metric", "a metric", `connect, publish, end-to-end, storage, command, observe, delivery, pubrec, pubcomp, handshake or resumption`,
			`connect|publish|end-to-end|storage|command|observe|delivery|pubrec|pubcomp|handshake|resumption|enrollment|update`,
			func(s string) (any, error) { return parseMetric(s) }},
		{"qos", "a quality of service", `QoS 0, QoS 1, QoS 2, or CON or NON for CoAP`,
			`QoS [0-2]|CON|NON`, func(s string) (any, error) { return parseQoS(s) }},
		{"protocol", "a protocol", `MQTT 3.1.1 or MQTT 5 [over TLS, WebSocket or secure WebSocket], or CoAP [over DTLS, TCP or TLS]`,
			`(?:MQTT|CoAP)(?: 3\.1\.1| 5)?(?: over (?:TLS|WebSocket|secure WebSocket|DTLS|TCP))?`,
			func(s string) (any, error) { return parseProtocol(s) }},
		{"broker", "a broker", `mosquitto`, `mosquitto|emqx|hivemq-ce|nanomq|vernemq`,
			func(s string) (any, error) { return parseBroker(s) }},
		{"curve", "a curve", `evenly, in bursts, exponentially or following "arrivals.csv"`,
			`evenly|in bursts|exponentially|following "[^"]*"`, func(s string) (any, error) { return parseCurve(s) }},
		{"selection", "a selection", `all devices of "rooms", 10% of "rooms", 500 devices of "rooms" or device "rooms-42"`,
			`all devices of "[^"]*"|\d+(?:\.\d+)?% of "[^"]*"|` + numberPattern + `[kM]? devices? of "[^"]*"|device "[^"]*"`,
			func(s string) (any, error) { return parseSelection(s) }},
		{"window", "a window", `during the run, during phase "rush", in the last 5m, after recovery or in every 10s`,
			`during the run|during phase "[^"]*"|in the last \S+|after recovery|in every \S+`,
			func(s string) (any, error) { return parseWindow(s) }},
	}
}

// parseAs parses text as the type with that name: for cells of tables.
func parseAs(name, text string) (any, error) {
	for _, t := range paramTypes() {
		if t.name == name {
			return t.value(text)
		}
	}
	return nil, fmt.Errorf("no parameter type %q", name)
}

// value parses text and says what is right when it is not a t.
func (t *paramType) value(text string) (any, error) {
	v, err := t.parse(text)
	var f *fault
	switch {
	case err == nil:
		return v, nil
	case errors.As(err, &f):
		return nil, err
	}
	return nil, wrong("write "+t.accepts, "%s is not %s", quote(text), t.what)
}

var errParse = errors.New("not of the type")

func parseNumber(text string) (float64, error) {
	if whole, _, _ := strings.Cut(text, "."); strings.ContainsAny(whole, ",_") {
		for i, group := range strings.FieldsFunc(whole, func(r rune) bool { return r == ',' || r == '_' }) {
			if len(group) != 3 && i > 0 || len(group) > 3 {
				return 0, errParse
			}
		}
		if strings.ContainsAny(whole[:1]+whole[len(whole)-1:], ",_") {
			return 0, errParse
		}
		text = strings.NewReplacer(",", "", "_", "").Replace(text)
	}
	for _, r := range text {
		if (r < '0' || r > '9') && r != '.' {
			return 0, errParse
		}
	}
	return strconv.ParseFloat(text, 64)
}

// parseLarge is parseNumber with the suffixes k and M.
func parseLarge(text string) (float64, error) {
	factor := 1.0
	if rest, ok := strings.CutSuffix(text, "k"); ok {
		text, factor = rest, 1e3
	} else if rest, ok := strings.CutSuffix(text, "M"); ok {
		text, factor = rest, 1e6
	}
	v, err := parseNumber(text)
	return v * factor, err
}

func parseCount(text string) (int, error) {
	if text == "no" {
		return 0, nil
	}
	v, err := parseLarge(text)
	if err != nil {
		return 0, err
	}
	if v > math.MaxUint32 {
		return 0, wrong("at most 4,294,967,295", "%s is too many", text)
	}
	if r := math.Round(v); math.Abs(v-r) < 1e-6 {
		return int(r), nil
	}
	return 0, wrong("a count is a whole number", "%s is not a count", text)
}

func parseDuration(text string) (sim.Duration, error) {
	d, err := durationOf(text)
	if err == nil && d > longest {
		return 0, wrong("at most 366d", "%s is too long", text)
	}
	return sim.Duration(d), err
}

func durationOf(text string) (time.Duration, error) {
	if num, unit, ok := strings.Cut(text, " "); ok {
		v, err := parseNumber(num)
		if err != nil {
			return 0, err
		}
		units := map[string]time.Duration{"millisecond": time.Millisecond, "second": time.Second,
			"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
		u, ok := units[strings.TrimSuffix(unit, "s")]
		if !ok {
			return 0, errParse
		}
		return capped(v * float64(u)), nil
	}
	// Days are no unit of time.ParseDuration; they come first when there are several units.
	var days time.Duration
	if num, rest, ok := strings.Cut(text, "d"); ok {
		v, err := parseNumber(num)
		if err != nil {
			return 0, err
		}
		if days = capped(v * float64(24*time.Hour)); rest == "" {
			return days, nil
		}
		text = rest
	}
	if strings.HasPrefix(text, "-") || strings.HasPrefix(text, "+") || text == "0" {
		return 0, errParse
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, errParse
	}
	return capped(float64(days) + float64(d)), nil
}

func capped(ns float64) time.Duration { return time.Duration(min(ns, 2*float64(longest))) }

func parseRate(text string) (float64, error) {
	num, unit, ok := strings.Cut(text, "/")
	if !ok {
		return 0, errParse
	}
	v, err := parseLarge(num)
	if err != nil {
		return 0, err
	}
	switch unit {
	case "s":
	case "min", "m":
		v /= 60
	case "h":
		v /= 3600
	default:
		return 0, errParse
	}
	if v > 1e9 {
		return 0, wrong("at most 1,000M/s", "%s is too fast", text)
	}
	return v, nil
}

func parsePercent(text string) (float64, error) {
	num, ok := strings.CutSuffix(text, "%")
	if !ok {
		return 0, errParse
	}
	v, err := parseNumber(num)
	if err != nil {
		return 0, err
	}
	if v > 100 {
		return 0, wrong("at most 100%", "%s is more than all", text)
	}
	return v, nil
}

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
	v, err := parseNumber(num)
	if err != nil {
		return 0, err
	}
	if v <= 0 || v >= 100 {
		return 0, wrong("write p50, p99, p99.9 or max", "%s is not a percentile", text)
	}
	return share(v), nil
}

// share is a percentage as a part of 1, without the digits that only the division makes.
func share(percent float64) float64 { return math.Round(percent*1e8) / 1e10 }
