package scenarios

import (
	"slices"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

const onMQTT = `
	When fleet "rooms" connects evenly over 10s
	And phase "steady" runs for 1m
	Then no message is lost`

func TestTargets(t *testing.T) {
	const spread = "connections are spread over the brokers within 15%"
	rooms := `Given a fleet "rooms" of 1,000 "sensor" devices
		`
	secure := rooms + `And fleet "rooms" speaks MQTT 5 over TLS
		`
	coap := rooms + `And fleet "rooms" speaks CoAP
		`
	for _, c := range []struct {
		name, given string
		o           Options
		when        string // before the Then; "" is nothing more
		then        string // instead of the Then
		kind        sim.TargetKind
		mqtt        string
		notJudged   string
		embedded    sim.Channel
	}{
		{name: "default", given: rooms, kind: sim.TargetEmbedded},
		{name: "embedded", given: rooms + `And the target "embedded"`, kind: sim.TargetEmbedded},
		{name: "container", given: rooms + `And a mosquitto broker version "2.0.22" in a container`, kind: sim.TargetContainer},
		{name: "loopback", given: rooms + `And the external broker "127.0.0.2:1999"`, kind: sim.TargetExternal, mqtt: "127.0.0.2:1999"},
		{name: "default port", given: rooms + `And the external broker "mqtt://[::1]"`, kind: sim.TargetExternal, mqtt: "[::1]:1883"},
		{name: "allowed host", given: rooms + `And the external broker "mqtt://broker.lab:1883"`,
			o: Options{AllowHosts: []string{"broker.lab"}}, kind: sim.TargetExternal, mqtt: "broker.lab:1883"},
		{name: "override", given: rooms + `And a mosquitto broker in a container`,
			o: Options{Target: "mqtt://broker.lab:1884,mqtt://b2"}, kind: sim.TargetExternal, mqtt: "broker.lab:1884 b2:1883"},
		{name: "override by a name", given: rooms + `And the external broker "mqtt://elsewhere:1"`,
			o: Options{Target: "embedded"}, kind: sim.TargetEmbedded},
		{name: "kill what is yours", given: rooms, o: Options{Target: "mqtt://127.0.0.1"}, when: `And "broker" is killed`,
			kind: sim.TargetExternal, mqtt: "127.0.0.1:1883", notJudged: "the external target cannot be killed by Myriad"},
		{name: "restart what is yours", given: rooms, o: Options{Target: "mqtt://127.0.0.1"}, when: `And "broker" restarts`,
			kind: sim.TargetExternal, mqtt: "127.0.0.1:1883", notJudged: "the external target cannot be restarted by Myriad"},
		{name: "kill a container", given: rooms, o: Options{Target: "mosquitto"}, when: `And "broker" is killed`, kind: sim.TargetContainer},
		{name: "freeze coap in mosquitto", given: rooms, o: Options{Target: "mosquitto"}, when: `And "coap" is frozen for 2s`,
			kind: sim.TargetContainer, notJudged: `has no service "coap"`},
		{name: "coap on mosquitto", given: coap, o: Options{Target: "mosquitto"}, kind: sim.TargetContainer,
			notJudged: `the fleet "rooms" speaks CoAP and the target "mosquitto" does not`},
		{name: "coap on mqtt", given: coap, o: Options{Target: "mqtt://127.0.0.1:1883"}, kind: sim.TargetExternal, mqtt: "127.0.0.1:1883",
			notJudged: "the target has no CoAP endpoint"},
		{name: "mqtt on coap", given: rooms, o: Options{Target: "coap://127.0.0.1"}, kind: sim.TargetExternal,
			notJudged: "the target has no MQTT endpoint"},
		{name: "one of two on mqtt", given: rooms + `And a fleet "meters" of 200 "sensor" devices
		And fleet "meters" speaks CoAP`, o: Options{Target: "mqtt://127.0.0.1:1883"}, kind: sim.TargetExternal, mqtt: "127.0.0.1:1883",
			embedded: sim.ChannelCoAP},
		{name: "TLS on plain MQTT", given: secure, o: Options{Target: "mqtt://127.0.0.1:1883"}, kind: sim.TargetExternal,
			mqtt: "127.0.0.1:1883", notJudged: `the fleet "rooms" needs a mqtts:// endpoint and the target has mqtt://127.0.0.1:1883`},
		{name: "TLS in mosquitto's container", given: secure, o: Options{Target: "mosquitto"}, kind: sim.TargetContainer,
			notJudged: `needs a mqtts:// endpoint and the target "mosquitto" has mqtt:// only`},
		{name: "TLS without a plain endpoint", given: secure, o: Options{Target: "mqtts://127.0.0.1"}, kind: sim.TargetExternal,
			notJudged: "the probe listens at mqtt:// endpoints and the target has none"},
		{name: "TLS at more brokers than the probe", given: secure,
			o:    Options{Target: "mqtts://127.0.0.1,mqtts://127.0.0.2,mqtts://127.0.0.3,mqtt://127.0.0.1,mqtt://127.0.0.2"},
			kind: sim.TargetExternal, mqtt: "127.0.0.1:1883 127.0.0.2:1883", notJudged: "2 mqtt:// and 3 mqtts:// endpoints"},
		{name: "TLS", given: secure, o: Options{Target: "mqtts://127.0.0.1,mqtt://127.0.0.1"}, kind: sim.TargetExternal, mqtt: "127.0.0.1:1883"},
		{name: "TLS embedded", given: secure, kind: sim.TargetEmbedded},
		{name: "WebSocket with a path", given: rooms + "And fleet \"rooms\" speaks MQTT over WebSocket\n", kind: sim.TargetExternal,
			o: Options{Target: "ws://127.0.0.1:9001/mqtt,mqtt://127.0.0.1"}, mqtt: "127.0.0.1:1883"},
		{name: "CoAP over TCP at a UDP server", given: rooms + "And fleet \"rooms\" speaks CoAP over TCP\n", kind: sim.TargetExternal,
			o: Options{Target: "coap://127.0.0.1"}, notJudged: `needs a coap+tcp:// endpoint and the target has coap://127.0.0.1:5683`},
		{name: "commands that nobody sees answered", given: rooms + `And fleet "rooms" takes commands on "{id}/c" and answers on "{id}/a"
		And fleet "rooms" speaks CoAP
		`, o: Options{Target: "coap://127.0.0.1"}, when: `And command "reboot" is sent to all devices of "rooms"`,
			then: "at least 90% of commands are answered within 5s", kind: sim.TargetExternal, notJudged: "nobody sees the answers to commands"},
		{name: "brokers behind one address", given: rooms, o: Options{Target: "mqtt://127.0.0.1"}, kind: sim.TargetExternal, mqtt: "127.0.0.1:1883",
			then: spread, notJudged: "the target has one address for its brokers, and behind it nobody sees them apart"},
		{name: "several brokers", given: rooms, o: Options{Target: "mqtt://127.0.0.1,mqtt://127.0.0.2"}, kind: sim.TargetExternal,
			mqtt: "127.0.0.1:1883 127.0.0.2:1883", then: spread},
		{name: "one broker in a container", given: rooms, o: Options{Target: "mosquitto"}, kind: sim.TargetContainer,
			then: spread, notJudged: "behind it nobody sees them apart"},
		{name: "embedded brokers", given: rooms, kind: sim.TargetEmbedded, then: spread},
		{name: "loss on someone's coap", given: coap, o: Options{Target: "coap://127.0.0.1"}, kind: sim.TargetExternal,
			notJudged: "does not tell what it stored"},
	} {
		rest := strings.Replace(onMQTT, "\tThen", c.when+"\n\tThen", 1)
		if c.then != "" {
			rest = strings.Replace(rest, "no message is lost", c.then, 1)
		}
		s := plan(t, c.given+"\n"+rest, c.o)
		p := s.Plan.Target
		if p.Kind != c.kind || strings.Join(p.Endpoints[sim.SchemeMQTT], " ") != c.mqtt {
			t.Errorf("%s: the target is %+v", c.name, p)
		}
		if list := p.Embedded; c.embedded == "" && len(list) > 0 || c.embedded != "" && !slices.Equal(list, []sim.Channel{c.embedded}) {
			t.Errorf("%s: embedded %q, want %q", c.name, list, c.embedded)
		}
		if c.notJudged == "" && s.NotJudged != "" || !strings.Contains(s.NotJudged, c.notJudged) {
			t.Errorf("%s: not judged because %q, want %q", c.name, s.NotJudged, c.notJudged)
		}
	}
}

func TestTargetOverrideMistakes(t *testing.T) {
	for target, want := range map[string]string{
		"mosqito":         `--target: unknown target "mosqito": did you mean "mosquitto"?`,
		"http://x":        "--target: http:// is no scheme of a target: there are mqtt://, mqtts://, ws://",
		"mqtt://u:p@x:18": "is not an address",
		"mqtt://x/topic":  "is not an address",
		"mqtt://x:y":      "is not an address",
	} {
		_, err := loadText(t, twoStories, Options{Target: target})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Load says %v", target, err)
		}
	}
}

// A profile's target may be named; where it leads must still be allowed.
func TestProfileTargets(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/lab.yaml", "targets:\n  lab:\n    kind: external\n    mqtt: [broker.lab:1883]\n")
	o := Options{Profiles: []string{dir + "/lab.yaml"}}
	text := story("Given a fleet \"rooms\" of 1,000 \"sensor\" devices\nAnd the target \"lab\"\n" + onMQTT)
	if _, err := loadText(t, text, o); err == nil || !strings.Contains(err.Error(), "broker.lab is not this machine") {
		t.Errorf("a story leads elsewhere: %v", err)
	}
	o.Target = "lab"
	if s := mustLoadText(t, text, o).Stories[0]; s.Plan.Target.Endpoints[sim.SchemeMQTT][0] != "broker.lab:1883" {
		t.Errorf("the target is %+v", s.Plan.Target)
	}
}

// On the embedded target a subscriber receives what CoAP fleets send; nobody does so elsewhere.
func TestEndToEndOfCoAP(t *testing.T) {
	steps := `Given a fleet "rooms" of 1,000 "sensor" devices
		And fleet "rooms" speaks CoAP
		When fleet "rooms" connects evenly over 10s
		Then the p99 end-to-end latency is below 1s`
	if s := plan(t, steps, Options{}); s.NotJudged != "" {
		t.Errorf("embedded: %s", s.NotJudged)
	}
	if s := plan(t, steps, Options{Target: "coap://127.0.0.1"}); !strings.Contains(s.NotJudged, "no subscriber receives") {
		t.Errorf("external: %q", s.NotJudged)
	}
}
