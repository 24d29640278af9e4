package peers

import (
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// Paho subscribes at a broker with eclipse/paho.mqtt.golang, over MQTT 3.1.1, and calls heard for one message
// after the other until the test ends. It returns when the broker has granted the filter with the QoS that was
// asked.
func Paho(t testing.TB, endpoint, client, filter string, qos byte, heard func(topic string, payload []byte, dup bool)) {
	t.Helper()
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + endpoint).SetClientID(client).SetProtocolVersion(4))
	wait := func(token paho.Token) {
		t.Helper()
		if !token.WaitTimeout(startup) || token.Error() != nil {
			t.Fatalf("paho at %s: %v", endpoint, token.Error())
		}
	}
	wait(c.Connect())
	t.Cleanup(func() { c.Disconnect(uint(time.Second / time.Millisecond)) })
	token := c.Subscribe(filter, qos, func(_ paho.Client, m paho.Message) { heard(m.Topic(), m.Payload(), m.Duplicate()) })
	wait(token)
	if granted := token.(*paho.SubscribeToken).Result()[filter]; granted != qos {
		t.Fatalf("paho at %s: %q was granted QoS %d, not %d", endpoint, filter, granted, qos)
	}
}
