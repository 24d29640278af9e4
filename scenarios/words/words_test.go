package words_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// reads is what a reader says of a text, as something to compare: the value, or its mistake.
func reads[T any](parse func(string) (T, error), text string) (v any) {
	got, err := parse(text)
	var m *sim.Mistake
	switch {
	case err == nil:
		return got
	case !errors.As(err, &m) || m.Right == "":
		return "no mistake with what would be right: " + err.Error()
	}
	return err.Error()
}

func TestCounts(t *testing.T) {
	const write = ": write 1000, 250,000, 250k, 1.2M or no"
	const comma = " has a comma in the wrong place: a comma groups thousands, as in 250,000, and a point is the decimal sign"
	const point = " has a decimal point, and a count is a whole number"
	for text, want := range map[string]any{
		"0": 0, "no": 0, "007": 7, "250": 250, "250,000": 250_000, "250_000": 250_000, "250000": 250_000, "1,000,000": 1_000_000,
		"250k": 250_000, "1.2M": 1_200_000, "2.5k": 2500, "0.001k": 1, "1.234567M": 1_234_567, "1,000k": 1_000_000,
		"4294967295": words.MaxCount, "1.20k": 1200,

		"":         `"" is not a count` + write,
		"k":        `"k" is not a count` + write,
		"many":     `"many" is not a count` + write,
		" 5":       `" 5" is not a count` + write,
		"+5":       `"+5" is not a count` + write,
		"1e3":      `"1e3" is not a count` + write,
		"5.k":      `"5.k" is not a count` + write,
		".5k":      `".5k" is not a count` + write,
		"1.2.3M":   `"1.2.3M" is not a count` + write,
		"-3":       `"-3" is negative` + write,
		"1,00":     `"1,00"` + comma,
		"1,5":      `"1,5"` + comma,
		"1,000,":   `"1,000,"` + comma,
		",100":     `",100"` + comma,
		"1,,000":   `"1,,000"` + comma,
		"1000,000": `"1000,000"` + comma,

		"1.5":                     `"1.5"` + point + write,
		"1.0":                     `"1.0"` + point + write,
		"1.000":                   `"1.000"` + point + ": write 1,000 or 1000",
		"1.000.000":               `"1.000.000"` + point + ": write 1,000,000 or 1000000",
		"1,000.5":                 `"1,000.5"` + point + write,
		"1.000k":                  `"1.000k" can be read in two ways: write 1k or 1,000k`,
		"2.0005k":                 `"2.0005k" is not a whole number` + write,
		"9,000M":                  `"9,000M" is too many: at most 4,294,967,295`,
		"99999999999999999999999": `"99999999999999999999999" is too many: at most 4,294,967,295`,
	} {
		if got := reads(words.ParseCount, text); got != want {
			t.Errorf("%q:\n got %v\nwant %v", text, got, want)
		}
	}
}

func TestDurations(t *testing.T) {
	const write = ": write 250ms, 5m, 1m30s, 7d or 5 minutes"
	d := func(d time.Duration) any { return sim.Duration(d) }
	for text, want := range map[string]any{
		"0": d(0), "0s": d(0), "250ms": d(250 * time.Millisecond), "1m30s": d(90 * time.Second), "7d": d(168 * time.Hour),
		"1d12h": d(36 * time.Hour), "1.5h": d(90 * time.Minute), "5ns": d(5), "3us": d(3000), "3µs": d(3000), "0.5d": d(12 * time.Hour),
		"5 minutes": d(5 * time.Minute), "1 second": d(time.Second), "5minutes": d(5 * time.Minute), "10 milliseconds": d(10 * time.Millisecond),
		"1.5 days": d(36 * time.Hour), "2,500 seconds": d(2500 * time.Second), "366d": d(words.Longest), "1.001s": d(1001 * time.Millisecond),
		"365d23h59m59s1ns": d(words.Longest - time.Second + 1),

		"":                             `"" is not a duration` + write,
		"5":                            `"5" is not a duration` + write,
		"d":                            `"d" is not a duration` + write,
		"often":                        `"often" is not a duration` + write,
		"5 years":                      `"5 years" is not a duration` + write,
		"2 parsecs":                    `"2 parsecs" is not a duration` + write,
		"1 m":                          `"1 m" is not a duration` + write,
		"1m 30s":                       `"1m 30s" is not a duration` + write,
		"1e9d":                         `"1e9d" is not a duration` + write,
		"1,5s":                         `"1,5s" is not a duration` + write,
		".5s":                          `".5s" is not a duration` + write,
		"5  minutes":                   `"5  minutes" is not a duration` + write,
		"minutes":                      `"minutes" is not a duration` + write,
		"1,5 hours":                    `"1,5 hours" has a comma in the wrong place: a comma groups thousands, as in 250,000, and a point is the decimal sign`,
		"-5s":                          `"-5s" is negative` + write,
		"400d":                         `"400d" is too long: at most 366d`,
		"366d1ns":                      `"366d1ns" is too long: at most 366d`,
		"9e99 days":                    `"9e99 days" is not a duration` + write,
		strings.Repeat("9", 300) + "h": `"` + strings.Repeat("9", 300) + `..." is too long: at most 366d`,
	} {
		if got := reads(words.ParseDuration, text); got != want {
			t.Errorf("%q:\n got %v\nwant %v", text, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", time.Second: "1s", 90 * time.Second: "1m30s", 36 * time.Hour: "1d12h",
		250 * time.Millisecond: "250ms", 1500 * time.Microsecond: "1500us", time.Second + 5: "1s5ns", -time.Minute: "-1m"} {
		if got := words.PrintDuration(d); got != want {
			t.Errorf("%v is printed as %s, want %s", d, got, want)
		}
	}
}

func TestPercentagesAndRates(t *testing.T) {
	const percent, rate = ": write 2% or 99.99%", ": write 10/s, 5,000/s, 500/min or 1/h"
	for text, want := range map[string]any{
		"0%": 0.0, "2%": 2.0, "99.99%": 99.99, "100%": 100.0, "5 %": 5.0,
		"":       `"" is not a percentage` + percent,
		"%":      `"%" is not a percentage` + percent,
		"2":      `"2" is not a percentage` + percent,
		"NaN%":   `"NaN%" is not a percentage` + percent,
		"2,5%":   `"2,5%" has a comma in the wrong place: a comma groups thousands, as in 250,000, and a point is the decimal sign`,
		"-1%":    `"-1%" is negative` + percent,
		"101%":   `"101%" is more than all: at most 100%`,
		"5\t%":   `"5\t%" is not a percentage` + percent,
		"5  %":   `"5  %" is not a percentage` + percent,
		"0,050%": `"0,050%" is not a percentage` + percent,
	} {
		if got := reads(words.ParsePercent, text); got != want {
			t.Errorf("%q:\n got %v\nwant %v", text, got, want)
		}
	}
	for percent, want := range map[float64]float64{99.99: 0.9999, 33.3: 0.333, 7: 0.07, 100: 1} {
		if got := words.Share(percent); got != want {
			t.Errorf("%v%% is the share %v, want %v", percent, got, want)
		}
	}
	for text, want := range map[string]any{
		"10/s": 10.0, "5,000/s": 5000.0, "600/min": 10.0, "600/m": 10.0, "3600/h": 1.0, "2k/s": 2000.0, "0.5/s": 0.5, "1,000M/s": words.MaxRate,
		"":         `"" is not a rate` + rate,
		"10":       `"10" is not a rate` + rate,
		"10/day":   `"10/day" is not a rate` + rate,
		"/s":       `"/s" is not a rate` + rate,
		"1,5/s":    `"1,5/s" has a comma in the wrong place: a comma groups thousands, as in 250,000, and a point is the decimal sign`,
		"5.000/s":  `"5.000/s" can be read in two ways: write 5/s or 5,000/s`,
		"-1/s":     `"-1/s" is negative` + rate,
		"1,001M/s": `"1,001M/s" is too fast: at most 1,000,000,000/s`,
	} {
		if got := reads(words.ParseRate, text); got != want {
			t.Errorf("%q:\n got %v\nwant %v", text, got, want)
		}
	}
	for rate, want := range map[float64]string{0: "0/s", 5000: "5,000/s", 0.5: "30/min", 1.0 / 3600: "1/h", 0.123: "0.123/s"} {
		if got := words.PrintRate(rate); got != want {
			t.Errorf("%v is printed as %s, want %s", rate, got, want)
		}
	}
}

func TestProtocols(t *testing.T) {
	const write = ": write MQTT 3.1.1 or MQTT 5 [over TLS, WebSocket or secure WebSocket], or CoAP [over DTLS, TCP or TLS]"
	m := func(version string, over sim.Transport) any {
		return sim.Protocol{Channel: sim.ChannelMQTT, Version: version, Transport: over}
	}
	c := func(over sim.Transport) any { return sim.Protocol{Channel: sim.ChannelCoAP, Transport: over} }
	for text, want := range map[string]any{
		"MQTT": m("3.1.1", ""), "MQTT 3.1.1": m("3.1.1", ""), "MQTT 5": m("5", ""), "mqtt 5": m("5", ""), "CoAP": c(""), "COAP": c(""),
		"MQTT over TLS": m("3.1.1", "tls"), "MQTT 5 over WebSocket": m("5", "ws"), "mqtt 5 Over Secure websocket": m("5", "wss"),
		"CoAP over DTLS": c("dtls"), "CoAP over TCP": c("tcp"), "CoAP over TLS": c("tls"),

		"":                    `"" is not a protocol` + write,
		"AMQP":                `"AMQP" is not a protocol` + write,
		"MQTT 4":              `"MQTT 4" is not a protocol` + write,
		"MQTT 5 ":             `"MQTT 5 " is not a protocol` + write,
		"CoAP 5":              `"CoAP 5" is not a protocol` + write,
		"MQTT over pigeons":   `"MQTT over pigeons" is not a protocol` + write,
		"MQTT over ":          `"MQTT over " is not a protocol` + write,
		"AMQP over TLS":       `"AMQP over TLS" is not a protocol` + write,
		"MQTT over DTLS":      `MQTT does not run over DTLS: over TLS, WebSocket or secure WebSocket it does`,
		"mqtt 5 over tcp":     `mqtt 5 does not run over TCP: over TLS, WebSocket or secure WebSocket it does`,
		"CoAP over WebSocket": `CoAP does not run over WebSocket: over DTLS, TCP or TLS it does`,
	} {
		if got := reads(words.ParseProtocol, text); got != want {
			t.Errorf("%q:\n got %v\nwant %v", text, got, want)
		}
	}
}

func TestQualities(t *testing.T) {
	for text, want := range map[string]any{
		"QoS 0": words.Quality{Of: sim.ChannelMQTT}, "qos 2": words.Quality{Level: 2, Of: sim.ChannelMQTT}, "1": words.Quality{Level: 1},
		"CON": words.Quality{Level: 1, Of: sim.ChannelCoAP}, "non": words.Quality{Of: sim.ChannelCoAP},
		"QoS 3": `"QoS 3" is not a quality of service: write QoS 0, QoS 1, QoS 2, or CON or NON for CoAP`,
		"3":     `"3" is not a quality of service: write QoS 0, QoS 1, QoS 2, or CON or NON for CoAP`,
		"":      `"" is not a quality of service: write QoS 0, QoS 1, QoS 2, or CON or NON for CoAP`,
	} {
		if got := reads(words.ParseQoS, text); got != want {
			t.Errorf("%q:\n got %v\nwant %v", text, got, want)
		}
	}
	for text, want := range map[string][2]string{ // of MQTT and of CoAP
		"QoS 1": {"", "CoAP has no QoS 1: write CON (acknowledged) or NON"},
		"CON":   {"MQTT has no CON: write QoS 0, QoS 1 or QoS 2", ""},
		"1":     {"", ""},
	} {
		q, _ := words.ParseQoS(text)
		for i, c := range []sim.Channel{sim.ChannelMQTT, sim.ChannelCoAP} {
			got := ""
			if err := q.Fits(c); err != nil {
				got = err.Error()
			}
			if got != want[i] {
				t.Errorf("%s of %s: %q, want %q", text, c, got, want[i])
			}
		}
	}
}

func TestOneOf(t *testing.T) {
	if got, err := words.OneOf("client", "go-coap", words.Clients()); got != "go-coap" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := words.OneOf("client", "pahoo", words.Clients()); err == nil ||
		err.Error() != `unknown client "pahoo": did you mean "paho"? there are "paho", "paho.golang" and "go-coap"` {
		t.Error(err)
	}
}

// Messages are one line, whatever they quote.
func TestQuote(t *testing.T) {
	for text, want := range map[string]string{`a`: `"a"`, `a "b"`: "`a \"b\"`", "a\nb": `"a\nb"`, strings.Repeat("é", 400): `"` + strings.Repeat("é", 300) + `..."`} {
		if got := words.Quote(text); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestLimitsAreAsDocumented(t *testing.T) {
	if words.MaxCount != math.MaxUint32 || words.Longest.Hours() != 366*24 {
		t.Error("the limits moved")
	}
}
