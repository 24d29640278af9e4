package specimen_test

import (
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/myriad-iot/myriad/sim/internal/peers"
)

const (
	username = "device"
	password = "secret"
)

// broker is a real one on loopback.
type broker struct {
	name    string
	open    string // host:port that lets everybody in
	guarded string // host:port that wants username and password
	only311 bool   // it knows neither version 5 nor shared subscriptions
}

func brokers(t *testing.T) []broker {
	t.Helper()
	guard := &auth.Options{Ledger: &auth.Ledger{Auth: auth.AuthRules{{Username: username, Password: password, Allow: true}}}}
	list := []broker{
		{"mochi", peers.Mochi(t), peers.MochiWith(t, new(auth.Hook), guard), false},
		{"nats-server", startNATS(t, server.Options{}), startNATS(t, server.Options{Username: username, Password: password}), true},
	}
	if _, ok := peers.Installed(t, "mosquitto", "mosquitto"); ok {
		list = append(list, startMosquitto(t))
	}
	return list
}

func startNATS(t *testing.T, o server.Options) string {
	t.Helper()
	o.Host, o.Port, o.MQTT.Host, o.MQTT.Port = "127.0.0.1", server.RANDOM_PORT, "127.0.0.1", server.RANDOM_PORT
	o.ServerName, o.JetStream, o.StoreDir, o.NoLog, o.NoSigs = "nats", true, t.TempDir(), true, true
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("nats-server is not ready")
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(o.MQTT.Port))
}

func startMosquitto(t *testing.T) broker {
	t.Helper()
	users := filepath.Join(t.TempDir(), "users")
	tool := peers.Program(t, "mosquitto", "mosquitto_passwd")
	if out, err := exec.Command(tool, "-c", "-b", users, username, password).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return broker{"mosquitto", peers.Mosquitto(t, "allow_anonymous true"),
		peers.Mosquitto(t, "allow_anonymous false\npassword_file "+users), false}
}

// witness subscribes at the far end, with paho: another's code than the device's own. What it got comes as "topic payload".
func witness(t testing.TB, endpoint, filter string, qos byte) <-chan string {
	t.Helper()
	got := make(chan string, 10_000)
	peers.Paho(t, endpoint, "witness-"+filter, filter, qos, func(topic string, payload []byte, _ bool) {
		got <- topic + " " + string(payload)
	})
	return got
}

// heard checks what a witness gets next.
func heard(t testing.TB, got <-chan string, want string) {
	t.Helper()
	select {
	case text := <-got:
		if text != want {
			t.Fatalf("the witness got %q, want %q", brief([]byte(text)), brief([]byte(want)))
		}
	case <-time.After(patience):
		t.Fatalf("the witness did not get %q", brief([]byte(want)))
	}
}
