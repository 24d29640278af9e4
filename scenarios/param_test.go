package scenarios

import (
	"reflect"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

func TestParameters(t *testing.T) {
	types := typesByName()
	second := sim.Duration(time.Second)
	for _, c := range []struct {
		typ, text string
		want      any // nil is an error
	}{
		{"count", "1000", 1000},
		{"count", "250,000", 250000},
		{"count", "250_000", 250000},
		{"count", "250k", 250000},
		{"count", "1.2M", 1200000},
		{"count", "2.5k", 2500},
		{"count", "no", 0},
		{"count", "1.5", nil},
		{"count", "2.0005k", nil},
		{"count", "1,00", nil},
		{"count", "1,000,", nil},
		{"count", ",100", nil},
		{"count", "5,000M", nil},
		{"count", "-3", nil},
		{"count", "", nil},
		{"duration", "250ms", 250 * sim.Duration(time.Millisecond)},
		{"duration", "1m30s", 90 * second},
		{"duration", "7d", 7 * 24 * 3600 * second},
		{"duration", "1d12h", 36 * 3600 * second},
		{"duration", "1.5h", 5400 * second},
		{"duration", "5 minutes", 300 * second},
		{"duration", "1 second", second},
		{"duration", "90 seconds", 90 * second},
		{"duration", "0s", sim.Duration(0)},
		{"duration", "2 parsecs", nil},
		{"duration", "5", nil},
		{"duration", "0", sim.Duration(0)},
		{"duration", "-5s", nil},
		{"duration", "400d", nil},
		{"duration", "99999999999999h", nil},
		{"rate", "10/s", 10.0},
		{"rate", "5,000/s", 5000.0},
		{"rate", "600/min", 10.0},
		{"rate", "3600/h", 1.0},
		{"rate", "2k/s", 2000.0},
		{"rate", "0.5/s", 0.5},
		{"rate", "10/day", nil},
		{"rate", "10", nil},
		{"percent", "2%", 2.0},
		{"percent", "99.99%", 99.99},
		{"percent", "101%", nil},
		{"percent", "2", nil},
		{"percentile", "p99.9", 0.999},
		{"percentile", "p50", 0.5},
		{"percentile", "median", 0.5},
		{"percentile", "max", sim.QuantileMax},
		{"percentile", "mean", sim.QuantileMean},
		{"percentile", "p100", nil},
		{"percentile", "p0", nil},
		{"percentile", "99", nil},
		{"bound", "at most", sim.AtMost},
		{"bound", "under", nil},
		{"metric", "end-to-end", sim.OpEndToEnd},
		{"metric", "command", sim.OpCommand},
		{"metric", "resumption", sim.OpResumption},
		{"metric", "enrollment", nil},
		{"metric", "speed", nil},
		{"qos", "QoS 1", words.Quality{Level: 1, Of: sim.ChannelMQTT}},
		{"qos", "NON", words.Quality{Of: sim.ChannelCoAP}},
		{"qos", "QoS 2", words.Quality{Level: 2, Of: sim.ChannelMQTT}},
		{"qos", "2", words.Quality{Level: 2}},
		{"qos", "QoS 3", nil},
		{"protocol", "MQTT 5", sim.Protocol{Channel: sim.ChannelMQTT, Version: "5"}},
		{"protocol", "MQTT", sim.Protocol{Channel: sim.ChannelMQTT, Version: "3.1.1"}},
		{"protocol", "CoAP", sim.Protocol{Channel: sim.ChannelCoAP}},
		{"protocol", "MQTT over TLS", sim.Protocol{Channel: sim.ChannelMQTT, Version: "3.1.1", Transport: sim.TransportTLS}},
		{"protocol", "MQTT 5 over WebSocket", sim.Protocol{Channel: sim.ChannelMQTT, Version: "5", Transport: sim.TransportWS}},
		{"protocol", "MQTT 5 over secure WebSocket", sim.Protocol{Channel: sim.ChannelMQTT, Version: "5", Transport: sim.TransportWSS}},
		{"protocol", "CoAP over DTLS", sim.Protocol{Channel: sim.ChannelCoAP, Version: "", Transport: sim.TransportDTLS}},
		{"protocol", "CoAP over TCP", sim.Protocol{Channel: sim.ChannelCoAP, Version: "", Transport: sim.TransportTCP}},
		{"protocol", "CoAP over TLS", sim.Protocol{Channel: sim.ChannelCoAP, Version: "", Transport: sim.TransportTLS}},
		{"protocol", "MQTT over DTLS", nil},
		{"protocol", "MQTT over TCP", nil},
		{"protocol", "CoAP over WebSocket", nil},
		{"protocol", "MQTT over pigeons", nil},
		{"protocol", "CoAP 5", nil},
		{"protocol", "AMQP", nil},
		{"broker", "mosquitto", "mosquitto"},
		{"broker", "emqx", nil},
		{"curve", "in bursts", curve{sim.CurveBursts, ""}},
		{"curve", `following "a.csv"`, curve{sim.CurveFollowing, "a.csv"}},
		{"curve", "sideways", nil},
		{"window", "during the run", sim.Window{}},
		{"window", `during phase "x"`, sim.Window{Kind: sim.WindowPhase, Phase: "x"}},
		{"window", "in the last 5m", sim.Window{Kind: sim.WindowLast, Span: 300 * second}},
		{"window", "in every 10s", sim.Window{Kind: sim.WindowEvery, Span: 10 * second}},
		{"window", "after recovery", sim.Window{Kind: sim.WindowRecovery}},
		{"window", "in every 0s", nil},
		{"window", "in every moment", nil},
		{"window", "yesterday", nil},
		{"selection", `all devices of "x"`, selection{fleet: "x", all: true, text: `all devices of "x"`}},
		{"selection", `99.9% of "x"`, selection{fleet: "x", percent: 99.9, text: `99.9% of "x"`}},
		{"selection", `500 devices of "x"`, selection{fleet: "x", count: 500, text: `500 devices of "x"`}},
		{"selection", `1 device of "x"`, selection{fleet: "x", count: 1, text: `1 device of "x"`}},
		{"selection", `device "x-42"`, selection{fleet: "x", device: "x-42", text: `device "x-42"`}},
		{"selection", `device "x"`, nil},
		{"selection", `device "x-y"`, nil},
		{"selection", `some of "x"`, nil},
		{"selection", `"x"`, nil},
		{"selection", `150% of "x"`, nil},
	} {
		got, err := types[c.typ].value(c.text)
		switch {
		case c.want == nil && err == nil:
			t.Errorf("{%s} accepts %q as %v", c.typ, c.text, got)
		case c.want != nil && err != nil:
			t.Errorf("{%s} refuses %q: %v", c.typ, c.text, err)
		case c.want != nil && !reflect.DeepEqual(got, c.want):
			t.Errorf("{%s} reads %q as %v, want %v", c.typ, c.text, got, c.want)
		}
	}
}

func FuzzParameters(f *testing.F) {
	for _, typ := range paramTypes() {
		for _, text := range []string{typ.accepts, "no", "250,000", "1m30s", "5 minutes", "10/s", "99.9%", "p99.9", `10% of "x"`, "in every 10s", "CON"} {
			f.Add(typ.name, text)
		}
	}
	types := map[string]paramType{}
	for _, typ := range paramTypes() {
		types[typ.name] = typ
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		typ, ok := types[name]
		if !ok {
			return
		}
		v, err := typ.value(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		switch v := v.(type) {
		case int:
			if v < 0 {
				t.Errorf("%q is the negative count %d", text, v)
			}
		case float64:
			if v != v || v < -1 || v > 1e9 {
				t.Errorf("%q is the number %v", text, v)
			}
		case sim.Duration:
			if v < 0 || v.D() > words.Longest {
				t.Errorf("%q is the duration %v", text, v)
			}
		}
	})
}
