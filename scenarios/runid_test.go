package scenarios

import (
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

// Devices have identifiers of their run where nobody relies on others, and only at a broker of the user's.
func TestD2_7_ClientIDsOfARun(t *testing.T) {
	const yours = "mqtt://127.0.0.1:1883"
	for name, c := range map[string]struct{ given, target, want string }{
		"plain":            {`fleet "rooms" speaks MQTT 5 with QoS 1`, yours, "{run}-{id}"},
		"embedded":         {`fleet "rooms" speaks MQTT 5 with QoS 1`, "", ""},
		"a container's":    {`fleet "rooms" speaks MQTT 5 with QoS 1`, "mosquitto", ""},
		"CoAP beside it":   {`fleet "rooms" speaks CoAP`, yours + ",coap://127.0.0.1", ""},
		"the story's":      {`fleet "rooms" connects with client id "{id}"`, yours, "{id}"},
		"the story's own":  {`fleet "rooms" connects with client id "{run}{id}"`, yours, "{run}{id}"},
		"who logs in":      {`fleet "rooms" logs in as "{id}"`, yours, ""},
		"the address does": {`fleet "rooms" speaks MQTT 5 with QoS 1`, "mqtt://me:x@127.0.0.1:1883", ""},
		"a kept session":   {`fleet "rooms" keeps its session for 1h`, yours, ""},
	} {
		p := mustLoadText(t, loginStory(c.given), Options{Target: c.target}).Stories[0].Plan
		if got := p.Fleets[0].Data().MQTT.ClientID; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if id := p.Fleets[0].DeviceID(9); id != "rooms-9" {
			t.Errorf("%s: topics and payloads would say %q", name, id)
		}
	}
	p := &sim.Plan{Target: sim.TargetSpec{Kind: sim.TargetExternal}, Fleets: []sim.Fleet{
		{Name: "sixteen-letters-", Count: 10, Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT}}},
		{Name: "sixteen-letters-", Count: 11, Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT}}},
		{Name: "certified", Count: 1, Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT, Security: sim.Security{Credential: sim.CredentialCertificate}}}},
	}}
	(&compiler{plan: *p}).nameClients()
	for i, want := range []string{"{run}-{id}", "", ""} {
		if got := p.Fleets[i].Bindings[0].MQTT.ClientID; got != want {
			t.Errorf("fleet %d: %q, want %q", i, got, want)
		}
	}
}
