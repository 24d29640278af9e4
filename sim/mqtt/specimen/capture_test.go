package specimen_test

import (
	"fmt"
	"testing"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/peers"
	"github.com/myriad-iot/myriad/sim/internal/wiretap"
)

// tshark understands every packet of a device's life: with a will, credentials and a subscription,
// QoS 0, 1 and 2 both ways, retained, and gone with and without a goodbye.
func TestCapture(t *testing.T) {
	endpoint := peers.Mochi(t)
	for i, c := range clients() {
		t.Run(c.name, func(t *testing.T) {
			tap, addr := wiretap.TCP(t, endpoint, 1883)
			s := &stage{client: c, broker: broker{open: addr}, id: fmt.Sprintf("dev-%d", i)}
			d := s.dialer(sim.Binding{
				Security: sim.Security{Username: username, Password: sim.NewSecret(password)},
				MQTT: sim.MQTT{
					Will:      &sim.Will{Topic: "wills/{id}", Payload: "gone", QoS: 2, Retain: true},
					Subscribe: []sim.Subscription{{Filter: "in/{id}/#", QoS: 2}},
				}})
			for _, abrupt := range []bool{false, true} {
				talk, _ := dial(t, d, &sim.Caller{ID: fmt.Sprintf("%s-%v", s.id, abrupt), Endpoint: addr})
				for qos := range byte(3) {
					s.publish(t, talk, qos, 3)
					topic := fmt.Sprintf("in/%s-%v/%d", s.id, abrupt, qos)
					s.tell(t, topic, "down", qos, false)
					wantInbound(t, talk, topic, "down")
				}
				send(t, talk, &sim.Message{Seq: 9, Topic: "last/" + s.id, Payload: []byte("x"), QoS: 1, Retain: true})
				want(t, talk, sim.EventAcked, 9, sim.OK)
				talk.Close(abrupt)
			}
			found := tap.Count([]string{"mqtt.msgtype", "mqtt.ver", "mqtt.willtopic", "mqtt.username"})
			for _, kind := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "14"} {
				if found["mqtt.msgtype"][kind] == 0 {
					t.Errorf("tshark found no packet of type %s, but %v", kind, found["mqtt.msgtype"])
				}
			}
			version := map[string]string{"3.1.1": "4", "5": "5"}[c.version]
			will := fmt.Sprintf("wills/%s-true", s.id)
			if found["mqtt.ver"][version] == 0 || found["mqtt.willtopic"][will] == 0 || found["mqtt.username"][username] == 0 {
				t.Errorf("tshark found %v", found)
			}
		})
	}
}
