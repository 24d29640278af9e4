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
	const settings = `And a mosquitto broker with:
			| setting             | value |
			| max_queued_messages | 100   |
		`
	const cluster = `And a cluster of 3 rabbitmq brokers behind a load balancer
		`
	const limits = `And the limits of "broker":
			| cpu | memory |
			| 50% | 64 MB  |
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
		{name: "settings", given: rooms + settings, kind: sim.TargetContainer},
		{name: "settings by the same name", given: rooms + settings, o: Options{Target: "mosquitto"}, kind: sim.TargetContainer},
		{name: "settings elsewhere", given: rooms + settings, o: Options{Target: "nats"}, kind: sim.TargetContainer,
			notJudged: `the story sets max_queued_messages of mosquitto, and the target is "nats"`},
		{name: "settings of what is yours", given: rooms + settings, o: Options{Target: "mqtt://127.0.0.1"}, kind: sim.TargetExternal, mqtt: "127.0.0.1:1883",
			notJudged: `the story sets max_queued_messages of mosquitto, and the target is yours`},
		{name: "limits", given: rooms + limits, o: Options{Target: "mosquitto"}, kind: sim.TargetContainer},
		{name: "limits of the embedded target", given: rooms + limits, kind: sim.TargetEmbedded,
			notJudged: `the story limits what "broker" may use, which only a target in containers can: "embedded" cannot`},
		{name: "squeeze the embedded broker", given: rooms, when: `And "broker" is limited to 10% CPU for 5s`, kind: sim.TargetEmbedded,
			notJudged: `the service "broker" of the target "embedded" cannot be limited in its CPU`},
		{name: "squeeze a container", given: rooms, o: Options{Target: "mosquitto"}, when: `And "broker" is limited to 10% CPU for 5s`, kind: sim.TargetContainer},
		{name: "what a broker of yours uses", given: rooms, o: Options{Target: "mqtt://127.0.0.1"}, kind: sim.TargetExternal, mqtt: "127.0.0.1:1883",
			then: `"broker" uses at most 50% CPU`, notJudged: `what "broker" uses of its machine is not known of a target of yours`},
		{name: "what the embedded broker tells of itself", given: rooms, kind: sim.TargetEmbedded,
			then: `broker metric "clients/connected" is at most 1,000`, notJudged: `"broker" of this target tells no figures of itself`},
		{name: "what ejabberd tells of itself", given: rooms, o: Options{Target: "ejabberd"}, kind: sim.TargetContainer,
			then: `broker metric "clients/connected" is at most 1,000`, notJudged: `"broker" of this target tells no figures of itself`},
		{name: "watched", given: rooms + "And Prometheus in a container watches the run\n", kind: sim.TargetEmbedded},
		{name: "watched in virtual time", given: rooms + "And Prometheus in a container watches the run\n", o: Options{Target: "virtual"}, kind: sim.TargetVirtual,
			notJudged: "in virtual time the story is over before Prometheus could read anything of it"},
		{name: "what a broker tells in virtual time", given: rooms, o: Options{Target: "virtual"}, kind: sim.TargetVirtual,
			then: `broker metric "clients/connected" is at most 1,000`, notJudged: `in virtual time "broker" tells no figures of itself`},
		{name: "what mosquitto tells of itself", given: rooms, o: Options{Target: "mosquitto"}, kind: sim.TargetContainer,
			then: `broker metric "clients/connected" is at most 1,000`},
		{name: "what a broker of yours tells of itself", given: rooms, o: Options{Target: "mqtts://127.0.0.1,mqtt://127.0.0.1"}, kind: sim.TargetExternal,
			mqtt: "127.0.0.1:1883", then: `broker metric "clients/connected" is at most 1,000 during phase "steady"`},
		{name: "what several brokers of yours tell", given: rooms, o: Options{Target: "mqtt://127.0.0.1,mqtt://127.0.0.2"}, kind: sim.TargetExternal,
			mqtt: "127.0.0.1:1883 127.0.0.2:1883", then: `broker metric "clients/connected" is at most 1,000`, notJudged: "the target has several brokers"},
		{name: "a broker's figures of a server without a broker", given: coap, o: Options{Target: "coap://127.0.0.1"}, kind: sim.TargetExternal,
			then: `broker metric "clients/connected" is at most 1,000`, notJudged: `has no service "broker"`},
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
		{name: "a cluster", given: rooms + cluster, kind: sim.TargetContainer, when: `And "broker 3" is frozen for 2s`, then: `"balancer" uses at most 50% CPU`},
		{name: "a cluster, by the name of its broker", given: rooms + cluster, o: Options{Target: "rabbitmq"}, kind: sim.TargetContainer, when: `And broker node 3 is lost`},
		{name: "a node of a cluster, elsewhere", given: rooms + cluster, o: Options{Target: "nats"}, kind: sim.TargetContainer, when: `And broker node 3 is lost`,
			notJudged: `the target "nats" has no service "broker 3"`},
		{name: "a node of yours", given: rooms, o: Options{Target: "mqtt://127.0.0.1"}, kind: sim.TargetExternal, mqtt: "127.0.0.1:1883",
			when: `And broker node 1 is lost`, notJudged: "the external target cannot be lost by Myriad"},
		{name: "a cluster that is killed", given: rooms + cluster, kind: sim.TargetContainer, when: `And "broker" is killed`,
			notJudged: `"broker" is a cluster here: name one of its 3 nodes, as in "broker 1"`},
		{name: "limits of a cluster", given: rooms + cluster + limits, kind: sim.TargetContainer,
			notJudged: `"broker" is a cluster here: name one of its 3 nodes, as in "broker 1"`},
		{name: "limits of a node", given: rooms + cluster + strings.Replace(limits, "broker", "broker 3", 1), kind: sim.TargetContainer},
		{name: "what a cluster uses", given: rooms + cluster, kind: sim.TargetContainer, then: `"broker" uses at most 50% CPU`,
			notJudged: `"broker" is a cluster here: name one of its 3 nodes, as in "broker 1"`},
		{name: "what a cluster tells", given: rooms + cluster, kind: sim.TargetContainer, then: `broker metric "rabbitmq_connections" is at most 1,000`,
			notJudged: "what its 3 nodes tell of themselves is not added up"},
		{name: "MQTT 5 on a cluster", given: rooms + cluster + "And fleet \"rooms\" speaks MQTT 5\n", kind: sim.TargetContainer,
			notJudged: `the fleet "rooms" uses MQTT 5, which the target "rabbitmq" does not support`},
		{name: "TLS on plain MQTT", given: secure, o: Options{Target: "mqtt://127.0.0.1:1883"}, kind: sim.TargetExternal,
			mqtt: "127.0.0.1:1883", notJudged: `the fleet "rooms" needs a mqtts:// endpoint and the target has mqtt://127.0.0.1:1883`},
		{name: "TLS in mosquitto's container", given: secure, o: Options{Target: "mosquitto"}, kind: sim.TargetContainer},
		{name: "secure WebSocket in mosquitto's container", given: rooms + "And fleet \"rooms\" speaks MQTT 5 over secure WebSocket\n",
			o: Options{Target: "mosquitto"}, kind: sim.TargetContainer},
		{name: "NATS", given: rooms, o: Options{Target: "nats"}, when: `And "broker" is killed`, kind: sim.TargetContainer},
		{name: "TLS on NATS", given: secure, o: Options{Target: "nats"}, kind: sim.TargetContainer,
			notJudged: `needs a mqtts:// endpoint and the target "nats" has mqtt://, ws:// and wss:// only`},
		{name: "MQTT 5 on NATS", given: rooms + "And fleet \"rooms\" speaks MQTT 5\n", o: Options{Target: "nats"}, kind: sim.TargetContainer,
			notJudged: `the fleet "rooms" uses MQTT 5, which the target "nats" does not support`},
		{name: "full stops on NATS", given: rooms + "And fleet \"rooms\" publishes to \"v1.0/{id}\" every 10s\n", o: Options{Target: "nats"},
			kind: sim.TargetContainer, notJudged: `the fleet "rooms" uses a full stop in a topic, which the target "nats" does not support`},
		{name: "D3_11: TLS without a plain endpoint", given: secure, o: Options{Target: "mqtts://127.0.0.1"}, kind: sim.TargetExternal},
		{name: "TLS at more brokers than the probe, which has no plain one", given: secure,
			o:    Options{Target: "mqtts://127.0.0.1,wss://127.0.0.1,wss://127.0.0.2"},
			kind: sim.TargetExternal},
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
		"smtp://x":        `"smtp://" is not the scheme of an endpoint: there are mqtt://, mqtts://, ws://`,
		"coap://u:p@x:18": `coap://x:18 has a user name, and CoAP has none: write it at the MQTT address`,
		"u:secret@x:1883": `unknown target "u:***@x:1883"`,
		"mqtt://x/topic":  `--target: "mqtt://x/topic" has a path`,
		"coap://::1":      "an IPv6 address stands in brackets",
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
