package words_test

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// What a reader takes fits the pattern of its kind, and is read back from what the printer writes of it;
// what it does not take is told with what would be right.
func FuzzWords(f *testing.F) {
	for _, text := range []string{"no", "250,000", "1.2M", "1.000", "1m30s", "365d23h59m59s999ms999us999ns", "5 minutes", "1,5 hours",
		"0.0000001h", "99.99%", "5 %", "500/min", "1k/h", "0.3/s", "QoS 1", "con", "2", "MQTT 5 over secure WebSocket", "MQTT", "coap OVER tls"} {
		f.Add(text)
	}
	pattern := map[words.Kind]*regexp.Regexp{}
	for _, k := range []words.Kind{words.Count, words.Duration, words.Rate, words.Percent, words.QoS, words.Protocol, words.Number} {
		pattern[k] = regexp.MustCompile("^(?:" + k.Pattern() + ")$")
	}
	f.Fuzz(func(t *testing.T, text string) {
		check(t, words.Count, pattern, text, words.ParseCount, words.PrintCount)
		check(t, words.Duration, pattern, text, words.ParseDuration, func(d sim.Duration) string { return words.PrintDuration(time.Duration(d)) })
		check(t, words.Rate, pattern, text, words.ParseRate, words.PrintRate)
		check(t, words.Percent, pattern, text, words.ParsePercent, func(p float64) string { return strconv.FormatFloat(p, 'f', -1, 64) + "%" })
		check(t, words.Protocol, pattern, text, words.ParseProtocol, sim.Protocol.String)
		if len(text) != 1 { // digits alone
			check(t, words.QoS, pattern, text, words.ParseQoS, words.Quality.String)
		}
		if _, err := words.ParseNumber(text); err == nil && !pattern[words.Number].MatchString(text) {
			t.Errorf("%q is a number and does not fit the pattern", text)
		}
	})
}

func check[T comparable](t *testing.T, k words.Kind, pattern map[words.Kind]*regexp.Regexp, text string, parse func(string) (T, error), print func(T) string) {
	v, err := parse(text)
	if err != nil {
		var m *sim.Mistake
		if !errors.As(err, &m) || m.Wrong == "" || m.Right == "" || strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%q as %s: %v", text, k, err)
		}
		return
	}
	if !pattern[k].MatchString(text) {
		t.Errorf("%q is %s and does not fit the pattern", text, k.What())
	}
	if back, err := parse(print(v)); err != nil || back != v {
		t.Errorf("%q is %v, printed as %q, which is %v, %v", text, v, print(v), back, err)
	}
}
