package profiles

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/myriad-iot/myriad/sim"
)

const wired = `fleets:
  valves:
    count: 5
    model: sensor
    protocol: MQTT 5 over secure WebSocket
    qos: 2
    client: paho.golang
    security: {credential: certificate, ca: roots/ca.pem, server_name: broker, tls: "1.3", resume: true, username: "{id}", password: "007"}
    mqtt:
      keep_alive: 30s
      inflight: 50
      retain: true
      will: {topic: "{fleet}/{id}/state", payload: gone, qos: 2, retain: true, delay: 5s}
      subscribe:
        - {filter: "$share/g/alerts/#", qos: 0}
        - filter: all
      topic_aliases: 16
      max_packet: 1k
      pings_unheard: 20s
      answer_within: 5s
    commands: {topic: "{id}/do", reply: "{id}/done", qos: 2}
  meters:
    count: 5
    model: sensor
    protocol: CoAP over DTLS
    security: {credential: psk, cid: true}
    coap: {ack_timeout: 3s, random_factor: 2, max_retransmit: 0, nstart: 4, method: iPATCH, block_size: 64, observe: [/setpoint], token_size: 12}
targets:
  lab:
    kind: external
    mqtt: 10.0.0.5:1883
    mqtts: [10.0.0.5:8883, "mqtts://10.0.0.6"]
    wss: "wss://10.0.0.5/mqtt"
    coaps+tcp: 10.0.0.5:5684
`

func TestWire(t *testing.T) {
	f, err := Load(fstest.MapFS{"lab/p.yaml": {Data: []byte(wired)}}, "lab/p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	valves, meters, none, two := f.Fleets["valves"], f.Fleets["meters"], 0, byte(2)
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"protocol", valves.Protocol.String(), "MQTT 5 over secure WebSocket"},
		{"qos", valves.QoS.Level, byte(2)},
		{"valves", valves.Binding, sim.Binding{
			Client: sim.ClientPahoGolang, KeepAlive: sim.Duration(30e9), Inflight: 50,
			Security: sim.Security{Credential: sim.CredentialCertificate, CA: "lab/roots/ca.pem", ServerName: "broker", TLS: "1.3",
				Resume: true, Username: "{id}", Password: sim.NewSecret("007")},
			MQTT: sim.MQTT{
				Retain: true, TopicAliases: 16, MaxPacket: 1000, Liveness: sim.Liveness{Heard: sim.Duration(20e9), Answer: sim.Duration(5e9)}, Subscribe: []sim.Subscription{{Filter: "$share/g/alerts/#"}, {Filter: "all", QoS: 1}},
				Will: &sim.Will{Topic: "{fleet}/{id}/state", Payload: "gone", QoS: 2, Retain: true, Delay: sim.Duration(5e9)},
			},
		}},
		{"commands", valves.Commands, &sim.Skill{Name: sim.SkillObey, Listen: "{id}/do", Topic: "{id}/done", QoS: &two}},
		{"said", valves.Said, []string{"client", "commands", "mqtt", "security"}},
		{"meters", meters.Binding, sim.Binding{
			Security: sim.Security{Credential: sim.CredentialPSK, CID: true},
			CoAP: sim.CoAP{AckTimeout: sim.Duration(3e9), RandomFactor: 2, MaxRetransmit: &none, NStart: 4, Method: "iPATCH",
				BlockSize: 64, Observe: []string{"setpoint"}, TokenSize: 12},
		}},
		{"lab", f.Targets["lab"].Endpoints, sim.Endpoints{
			sim.SchemeMQTT: {"10.0.0.5:1883"}, sim.SchemeMQTTS: {"10.0.0.5:8883", "10.0.0.6:8883"},
			sim.SchemeWSS: {"10.0.0.5:8084/mqtt"}, sim.SchemeCoAPSTCP: {"10.0.0.5:5684"},
		}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
