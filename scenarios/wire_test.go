package scenarios

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fault"
)

// What sentences say of a fleet's sessions is in its binding.
func TestBindings(t *testing.T) {
	const connects = "\nWhen fleet \"rooms\" connects evenly over 10s\nThen all devices of \"rooms\" are connected within 20s"
	mqtt := sim.Binding{Role: sim.RoleData, Channel: sim.ChannelMQTT, Version: "3.1.1", Dialect: "plain", QoS: 1}
	coap := sim.Binding{Role: sim.RoleData, Channel: sim.ChannelCoAP, Dialect: "plain", QoS: 1}
	with := func(b sim.Binding, change func(*sim.Binding)) sim.Binding { change(&b); return b }
	for name, c := range map[string]struct {
		given string
		want  sim.Binding
	}{
		"QoS 2": {`fleet "rooms" speaks MQTT 5 over secure WebSocket with QoS 2`, with(mqtt, func(b *sim.Binding) {
			b.Version, b.Transport, b.QoS = "5", sim.TransportWSS, 2
		})},
		"CoAP over TLS": {`fleet "rooms" speaks CoAP over TLS`, with(coap, func(b *sim.Binding) { b.Transport = sim.TransportTLS })},
		"certificates": {"fleet \"rooms\" speaks MQTT over TLS\nAnd every device of \"rooms\" has its own certificate from CA \"the run\"\n" +
			"And fleet \"rooms\" resumes its TLS sessions", with(mqtt, func(b *sim.Binding) {
			b.Transport, b.Security = sim.TransportTLS, sim.Security{Credential: sim.CredentialCertificate, Resume: true}
		})},
		"keys": {"fleet \"rooms\" speaks CoAP over DTLS\nAnd every device of \"rooms\" has its own pre-shared key\nAnd fleet \"rooms\" uses a Connection ID",
			with(coap, func(b *sim.Binding) {
				b.Transport, b.Security = sim.TransportDTLS, sim.Security{Credential: sim.CredentialPSK, CID: true}
			})},
		"the protocol may come last": {"every device of \"rooms\" has its own pre-shared key\nAnd fleet \"rooms\" speaks CoAP over DTLS",
			with(coap, func(b *sim.Binding) {
				b.Transport, b.Security = sim.TransportDTLS, sim.Security{Credential: sim.CredentialPSK}
			})},
		"no keep-alive (D2 row 9)": {`fleet "rooms" has a keep-alive of 0s`, with(mqtt, func(b *sim.Binding) { b.KeepAlive = sim.KeepAliveOff })},
		"small packets (D2 row 6)": {`fleet "rooms" takes packets of at most 1,024 bytes`, with(mqtt, func(b *sim.Binding) { b.MQTT.MaxPacket = 1024 })},
		"two liveness (D2 row 2)": {"fleet \"rooms\" pings when it has heard nothing for 20s\nAnd fleet \"rooms\" expects an answer within 5s", with(mqtt, func(b *sim.Binding) {
			b.MQTT.Liveness = sim.Liveness{Heard: sim.Duration(20 * time.Second), Answer: sim.Duration(5 * time.Second)}
		})},
		"keep-alive": {`fleet "rooms" has a keep-alive of 20m`, with(mqtt, func(b *sim.Binding) { b.KeepAlive = sim.Duration(20 * time.Minute) })},
		"client":     {`fleet "rooms" runs on the "paho" client`, with(mqtt, func(b *sim.Binding) { b.Client = sim.ClientPaho })},
		"will, retained": {"devices of \"rooms\" leave the will \"gone\" on \"{id}/state\"\nAnd fleet \"rooms\" publishes retained messages",
			with(mqtt, func(b *sim.Binding) {
				b.MQTT = sim.MQTT{Retain: true, Will: &sim.Will{Topic: "{id}/state", Payload: "gone", QoS: 1}}
			})},
		"subscriptions": {"fleet \"rooms\" subscribes to \"a/#\"\nAnd fleet \"rooms\" subscribes to \"$share/g/b/+\" with QoS 2",
			with(mqtt, func(b *sim.Binding) {
				b.MQTT.Subscribe = []sim.Subscription{{Filter: "a/#", QoS: 1}, {Filter: "$share/g/b/+", QoS: 2}}
			})},
		"observe": {"fleet \"rooms\" speaks CoAP\nAnd fleet \"rooms\" observes \"/a/b\"", with(coap, func(b *sim.Binding) {
			b.CoAP.Observe = []string{"a/b"}
		})},
	} {
		s := plan(t, "Given a fleet \"rooms\" of 1,000 \"sensor\" devices\nAnd "+c.given+connects, Options{})
		if diff := cmp.Diff(c.want, s.Plan.Fleets[0].Bindings[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestCommandActs(t *testing.T) {
	s := plan(t, `Given a fleet "rooms" of 1,000 "sensor" devices
		And fleet "rooms" takes commands on "{id}/do" and answers on "{id}/done"
		When fleet "rooms" connects evenly over 10s
		And command "blink" is sent to 10% of "rooms"
		And command "open" is sent to all devices of "rooms" in bursts over 20s
		And 5% of "rooms" get a new IP address
		And phase "after" runs for 10s
		Then at least 99.5% of commands are answered within 5s
		And the p99.9 command latency is below 2s
		And the p99 observe latency is below 1s`, Options{})
	acts := s.Plan.Acts
	if a := acts[1]; a.Kind != sim.ActTask || !a.Commands() || a.Task.Args["name"] != "blink" || a.Hold != 0 || a.Select.Percent != 10 {
		t.Errorf("the first command is %+v", a)
	}
	if a := acts[2]; !a.Commands() || a.Curve != sim.CurveBursts || a.Over != a.Hold || a.Hold.D().Seconds() != 20 || !a.Select.All {
		t.Errorf("the second command is %+v", a)
	}
	if a := acts[3]; fault.Of(&a) == nil || a.Fault.Verb != "new-address" || a.Fault.Site != sim.SiteLink || a.Select.Percent != 5 {
		t.Errorf("the rebinding is %+v", a)
	}
	if c := s.Plan.Checks[0]; c.Kind != sim.CheckAnswered || c.Bound != sim.AtLeast || c.Limit != 0.995 || c.Within.D().Seconds() != 5 {
		t.Errorf("the claim is %+v", c)
	}
}

// The profile's settings are a fleet's, and what does not fit is told where the story takes it.
func TestProfileWires(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/p.yaml", "fleets:\n  rooms:\n    count: 1000\n    model: sensor\n    protocol: MQTT 5 over TLS\n    qos: 2\n"+
		"    security: {credential: certificate, ca: ca.pem}\n    mqtt: {topic_aliases: 8}\n")
	o := Options{Profiles: []string{dir + "/p.yaml"}}
	text := func(more string) string {
		return story("Given the fleets:\n| name |\n| rooms |\n" + more + "When fleet \"rooms\" connects evenly over 10s\n" +
			"Then all devices of \"rooms\" are connected within 20s")
	}
	b := mustLoadText(t, text(""), o).Stories[0].Plan.Fleets[0].Bindings[0]
	if b.Scheme() != sim.SchemeMQTTS || b.QoS != 2 || b.Security.CA != dir+"/ca.pem" || b.MQTT.TopicAliases != 8 {
		t.Errorf("the binding is %+v", b)
	}
	for more, want := range map[string]string{
		"And fleet \"rooms\" speaks MQTT 3.1.1 over TLS\n": "speaks MQTT 3.1.1, which has no topic aliases",
		"And fleet \"rooms\" speaks CoAP over DTLS\n":      "speaks CoAP, which has no topic aliases",
		"And fleet \"rooms\" speaks MQTT 5\n":              "no server asks for the certificates",
	} {
		if _, err := loadText(t, text(more), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Load says %v, want %q", more, err, want)
		}
	}
}

// Commands over a protocol of their own have a binding of their own, with its own retry and endpoints; over the
// protocol of the reports they would be the same connection.
func TestCommandsOverALineOfTheirOwn(t *testing.T) {
	s := plan(t, `Given a fleet "fields" of 1,000 "sensor" devices
		And fleet "fields" speaks CoAP
		And fleet "fields" takes commands over MQTT 5 on "{fleet}/{id}/do" and answers on "{fleet}/{id}/done"
		And devices reconnect with backoff from 1s to 8s and 50% jitter
		When fleet "fields" connects evenly over 10s
		And command "blink" is sent to all devices of "fields"
		And phase "after" runs for 10s
		Then at least 99.5% of commands are answered within 5s`, Options{})
	f := &s.Plan.Fleets[0]
	if r := f.Lines(); len(r) != 2 || r[0] != sim.RoleData || r[1] != sim.RoleControl {
		t.Fatalf("lines %q", r)
	}
	b := f.Binding(sim.RoleControl)
	if b.Channel != sim.ChannelMQTT || b.Version != "5" || b.QoS != 1 || b.Retry.Max.D() != 8*time.Second || f.Data().Channel != sim.ChannelCoAP {
		t.Errorf("reports by %+v, commands by %+v", f.Data(), b)
	}
	s = plan(t, `Given a fleet "fields" of 10 "sensor" devices
		And fleet "fields" logs in as "{id}" with password "sesame"
		And fleet "fields" connects with client id "site/{id}"
		And fleet "fields" speaks CoAP
		And fleet "fields" takes commands over MQTT 5 on "{fleet}/{id}/do" and answers on "{fleet}/{id}/done"
		When fleet "fields" connects evenly over 10s
		And phase "after" runs for 10s
		Then no message is lost`, Options{})
	by, data := s.Plan.Fleets[0].Binding(sim.RoleControl), s.Plan.Fleets[0].Data()
	if by.Security.Username != "{id}" || by.Security.Password.Reveal() != "sesame" || by.MQTT.ClientID != "site/{id}" || data.Security != (sim.Security{}) || data.MQTT.ClientID != "" {
		t.Errorf("who they are to the broker: %+v, to the CoAP server: %+v", by.Security, data.Security)
	}
	if bound := f.Bound(sim.RoleControl); len(bound.MQTT.Subscribe) != 1 || bound.MQTT.Subscribe[0].Filter != "{fleet}/{id}/do" {
		t.Errorf("the line for commands subscribes to %+v", bound.MQTT.Subscribe)
	}
	if bound := f.Bound(sim.RoleData); len(bound.CoAP.Observe) != 0 {
		t.Errorf("the line for reports observes %q", bound.CoAP.Observe)
	}
	if got, want := f.Speech(), "CoAP, CON, control by MQTT 5, QoS 1"; got != want {
		t.Errorf("it speaks %q, want %q", got, want)
	}
	said := refused(t, `
		Given a fleet "rooms" of 10 "sensor" devices
		And fleet "rooms" takes commands over MQTT 5 on "{id}/do" and answers on "{id}/done"
		When fleet "rooms" connects evenly over 10s
		And phase "after" runs for 10s
		Then no message is lost`)
	if want := `the fleet "rooms" reports over MQTT, so its commands come by the same connection`; !strings.Contains(said, want) || !strings.Contains(said, "leave `over MQTT 5` out") {
		t.Errorf("it says %q", said)
	}
}

// A path segment of CoAP has at most 255 bytes, with the device's name in it: lint says so, or the run would be
// invalid by our own fault.
func TestD2_9_APathSegmentThatCoAPCannotSay(t *testing.T) {
	story := func(topic string) string {
		return "Feature: x\n  Scenario: x\n    Given a fleet \"rooms\" of 1,000 \"sensor\" devices\n    And fleet \"rooms\" speaks CoAP\n" +
			"    And fleet \"rooms\" publishes to \"" + topic + "\" every 10s\n    When fleet \"rooms\" connects evenly over 10s\n" +
			"    And phase \"steady\" runs for 1m\n    Then no message is lost\n"
	}
	for topic, fits := range map[string]bool{
		strings.Repeat("x", 255):             true,
		strings.Repeat("x", 256):             false,
		"a/" + strings.Repeat("x", 256):      false,
		strings.Repeat("x", 246) + "{id}":    true, // rooms-999 has 9
		strings.Repeat("x", 247) + "{id}/b":  false,
		strings.Repeat("x", 200) + "/{id}/b": true,
	} {
		_, err := loadText(t, story(topic), Options{})
		if (err == nil) != fits || err != nil && !strings.Contains(err.Error(), ":5: a segment of the path") {
			t.Errorf("%d bytes: %v", len(topic), err)
		}
	}
}
