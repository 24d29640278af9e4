package profiles

import (
	"errors"
	"fmt"
	"math"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// ParseDuration reads "250ms", "1m30s", "7d" or "5 minutes".
func ParseDuration(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	if m := regexp.MustCompile(`^(\d+(?:\.\d+)?) ?([a-z]+)$`).FindStringSubmatch(text); m != nil {
		n, err := strconv.ParseFloat(m[1], 64)
		unit, ok := map[string]time.Duration{
			"d": 24 * time.Hour, "day": 24 * time.Hour, "hour": time.Hour, "minute": time.Minute,
			"second": time.Second, "millisecond": time.Millisecond,
		}[strings.TrimSuffix(m[2], "s")]
		if d := n * float64(unit); err == nil && ok && d < math.MaxInt64/4 {
			return time.Duration(d), nil
		}
	}
	return 0, fmt.Errorf("%q is not a duration: write it like 250ms, 30s, 1m30s or 7d", clip(text))
}

// positive reads a duration above 0.
func positive(text string) (sim.Duration, error) {
	d, err := ParseDuration(text)
	if err == nil && d <= 0 {
		err = fmt.Errorf("%q is not above 0: write it like 250ms, 30s, 1m30s or 7d", clip(text))
	}
	return sim.Duration(d), err
}

// KeepAliveHint is for a keep-alive that does not fit.
const KeepAliveHint = "write whole seconds, 1s to 65535s, which is what MQTT can say"

// KeepAliveFits says whether MQTT can say it: whole seconds, in two bytes (MQTT 5 section 3.1.2.10), and
// not 0, which turns it off.
func KeepAliveFits(d time.Duration) bool {
	return d >= time.Second && d <= math.MaxUint16*time.Second && d%time.Second == 0
}

// keepAlive reads a duration that fits.
func keepAlive(text string) (sim.Duration, error) {
	d, err := ParseDuration(text)
	if err == nil && !KeepAliveFits(d) {
		err = fmt.Errorf("%q is no keep-alive: "+KeepAliveHint, clip(text))
	}
	return sim.Duration(d), err
}

// atLeastZero reads a duration of 0 or more.
func atLeastZero(text string) (sim.Duration, error) {
	d, err := ParseDuration(text)
	if err == nil && d < 0 {
		err = fmt.Errorf("%q is negative: write it like 0s, 30s, 1m30s or 7d", clip(text))
	}
	return sim.Duration(d), err
}

// ParseCount reads "250000", "250,000", "250_000", "250k" or "1.2M".
func ParseCount(text string) (int, error) {
	m := regexp.MustCompile(`^(\d+|\d{1,3}(?:[,_]\d{3})+|\d+\.\d+)([kM]?)$`).FindStringSubmatch(text)
	if strings.HasPrefix(text, "-") {
		return 0, fmt.Errorf("%q is negative: write it like 250, 12,000, 250k or 1.2M", clip(text))
	}
	if m == nil {
		return 0, fmt.Errorf("%q is not a count: write it like 250, 12,000, 250k or 1.2M", clip(text))
	}
	n, err := strconv.ParseFloat(strings.NewReplacer(",", "", "_", "").Replace(m[1]), 64)
	n = math.Round(n*map[string]float64{"": 1, "k": 1e3, "M": 1e6}[m[2]]*1e3) / 1e3 // 1.2M is not 1199999.9999
	switch {
	case err != nil || n > maxCount:
		return 0, fmt.Errorf("%q is too many: at most %d", clip(text), maxCount)
	case n != math.Trunc(n):
		return 0, fmt.Errorf("%q is not a whole number: write it like 250, 12,000, 250k or 1.2M", clip(text))
	}
	return int(n), nil
}

// ParsePercent reads "10%" as 0.1. It must lie between 0% and 100%.
func ParsePercent(text string) (float64, error) {
	number, ok := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number)+"e-2", 64) // dividing would make 99.99% 0.9998999...
	if !ok || err != nil || !(v >= 0 && v <= 1) {
		return 0, fmt.Errorf("%q is not a percentage: write it like 10%%, from 0%% to 100%%", clip(text))
	}
	return v, nil
}

// ParseProtocol reads a protocol's name and returns it as stories write it.
func ParseProtocol(text string) (string, error) {
	for _, p := range protocols() {
		if strings.EqualFold(p, strings.TrimSpace(text)) {
			return p, nil
		}
	}
	return "", fmt.Errorf("unknown protocol %q: there are %s", clip(text), strings.Join(protocols(), ", "))
}

func protocols() []string {
	list := []string{"MQTT 3.1.1", "MQTT 5", "CoAP"}
	for _, mqtt := range list[:2] {
		for _, over := range []string{"TLS", "WebSocket", "secure WebSocket"} {
			list = append(list, mqtt+" over "+over)
		}
	}
	for _, over := range []string{"DTLS", "TCP", "TLS"} {
		list = append(list, "CoAP over "+over)
	}
	return list
}

func parseQoS(text string) (byte, error) {
	switch text {
	case "0", "QoS 0":
		return 0, nil
	case "1", "QoS 1":
		return 1, nil
	case "2", "QoS 2":
		return 2, nil
	}
	return 0, fmt.Errorf("%q is not a quality of service: there are 0, 1 and 2", clip(text))
}

// parseTopic checks an MQTT topic name, or CoAP path, with its placeholders.
func parseTopic(text string) (string, error) {
	rest := strings.NewReplacer("{id}", "x", "{fleet}", "x").Replace(text)
	switch {
	case strings.Trim(text, "/ ") == "":
		return "", errors.New("an empty topic: write it like sites/{fleet}/{id}")
	case len(text) > 1000:
		return "", errors.New("a topic of more than 1000 bytes: write it like sites/{fleet}/{id}")
	case strings.ContainsAny(rest, "{}"):
		return "", fmt.Errorf("unknown placeholder in topic %q: there are {id} and {fleet}", clip(text))
	case strings.ContainsAny(rest, "+#\x00"):
		return "", fmt.Errorf("topic %q has a wildcard: devices publish to names without + and #", clip(text))
	}
	return text, nil
}

// parseName checks the name of a fleet, model, target or signal: it becomes part of client
// identifiers and topics.
func parseName(name string) error {
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`).MatchString(name) {
		return fmt.Errorf("%q is no name: use up to 64 letters, digits and . _ -, a letter or digit first", clip(name))
	}
	return nil
}

// parseAddress reads host:port, with or without the scheme, which also knows the port; for WebSocket a
// path may follow.
func parseAddress(scheme sim.Scheme) func(string) (string, error) {
	return func(text string) (string, error) {
		port := scheme.Port()
		wrong := fmt.Errorf("%q is not an address: write it like 10.0.0.5:%s or %s://10.0.0.5", clip(text), port, scheme)
		rest, named := strings.CutPrefix(text, string(scheme)+"://")
		path := ""
		if t := scheme.Transport(); t == sim.TransportWS || t == sim.TransportWSS {
			if i := strings.IndexByte(rest, '/'); i >= 0 {
				rest, path = rest[:i], strings.TrimSuffix(rest[i:], "/")
			}
		}
		host, p, err := net.SplitHostPort(rest)
		if err != nil && named && (!strings.Contains(rest, ":") || strings.HasSuffix(rest, "]")) {
			host, p, err = net.SplitHostPort(rest + ":" + port)
		}
		n, numberErr := strconv.ParseUint(p, 10, 16)
		if err != nil || numberErr != nil || n == 0 || host == "" || strings.ContainsAny(host, "/ @?#") || strings.ContainsAny(path, " ?#") {
			return "", wrong
		}
		return net.JoinHostPort(host, p) + path, nil
	}
}
