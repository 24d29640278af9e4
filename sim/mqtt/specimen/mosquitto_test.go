package specimen_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// mosquitto_sub and mosquitto_pub are the far ends of a device: they read what it sends and its will,
// and send it what it listens to, with properties in version 5.
func TestMosquittoClients(t *testing.T) {
	b := startMosquitto(t)
	subscriber := peers.Program(t, "mosquitto-clients", "mosquitto_sub")
	publisher := peers.Program(t, "mosquitto-clients", "mosquitto_pub")
	host, port, err := net.SplitHostPort(b.open)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range clients() {
		for _, tool := range []string{"mqttv311", "mqttv5"} {
			t.Run(c.name+"/"+tool, func(t *testing.T) {
				s := &stage{c, b, fmt.Sprintf("tool-%d-%s", i, tool)}
				rest := listen(t, s.id, subscriber, "-h", host, "-p", port, "-V", tool, "-q", "2", "-C", "4", "-t", s.id+"/#",
					"-d", "-F", "%t %q %r %p")
				d := s.dialer(sim.Binding{MQTT: sim.MQTT{
					Will:         &sim.Will{Topic: s.id + "/will", Payload: "gone", QoS: 1},
					Subscribe:    []sim.Subscription{{Filter: "to/{id}", QoS: 2}},
					TopicAliases: 10,
				}})
				talk, _ := dial(t, d, s.caller())
				for qos := range byte(3) {
					send(t, talk, &sim.Message{Seq: uint32(qos), Topic: s.id + "/up", Payload: fmt.Appendf(nil, "p%d", qos), QoS: qos})
					for e := (sim.Event{}); qos > 0 && e.Kind != sim.EventAcked; {
						if e = next(t, talk); e.Kind != sim.EventAcked && e.Kind != sim.EventReceived {
							t.Fatalf("event %+v", e)
						}
					}
				}
				args := []string{"-h", host, "-p", port, "-V", tool, "-q", "2", "-t", "to/" + s.id, "-m", "down"}
				if tool == "mqttv5" {
					args = append(args, "-D", "publish", "content-type", "text/plain", "-D", "publish", "user-property", "a", "b",
						"-D", "publish", "response-topic", "r", "-D", "publish", "correlation-data", "7", "-D", "publish", "message-expiry-interval", "60")
				}
				if out, err := exec.Command(publisher, args...).CombinedOutput(); err != nil {
					t.Fatalf("mosquitto_pub: %v: %s", err, out)
				}
				if in := wantInbound(t, talk, "to/"+s.id, "down"); in.QoS != 2 || in.Retained || in.Again {
					t.Errorf("inbound %+v", in)
				}
				talk.Close(true)
				want := []string{s.id + "/up 0 0 p0", s.id + "/up 1 0 p1", s.id + "/up 2 0 p2", s.id + "/will 1 0 gone"}
				got := rest()
				slices.Sort(got) // a QoS 2 message comes with its PUBREL, which the will may overtake
				if !slices.Equal(got, want) {
					t.Errorf("mosquitto_sub got %q, want %q", got, want)
				}
			})
		}
	}
}

// listen starts mosquitto_sub and returns when it is subscribed. rest waits until it ends, and returns
// its lines that begin with prefix.
func listen(t *testing.T, prefix, program string, args ...string) (rest func() []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	var complaints bytes.Buffer
	cmd := exec.CommandContext(ctx, "stdbuf", append([]string{"-oL", program}, args...)...) // or it says nothing until its end
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Subscribed") {
	}
	return func() []string {
		t.Helper()
		var found []string
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), prefix) {
				found = append(found, lines.Text())
			}
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v: %s", program, err, &complaints)
		}
		return found
	}
}
