package specimen_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/myriad-iot/myriad/sim/mqtt"
	"github.com/myriad-iot/myriad/sim/peers"
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
	if b, ok := startMosquitto(t); ok {
		list = append(list, b)
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

// installed finds a program of a Debian package. Where CI is set it must be there; elsewhere ok is false.
func installed(t testing.TB, name, debian string) (path string, ok bool) {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path, true
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("no %s: install Debian's %s", name, debian)
	}
	t.Logf("no %s (Debian's %s); it is required if CI is set", name, debian)
	return "", false
}

func startMosquitto(t *testing.T) (broker, bool) {
	t.Helper()
	program, ok := installed(t, "mosquitto", "mosquitto")
	if !ok {
		return broker{}, false
	}
	tool, ok := installed(t, "mosquitto_passwd", "mosquitto")
	if !ok {
		return broker{}, false
	}
	dir := t.TempDir()
	users := filepath.Join(dir, "users")
	if out, err := exec.Command(tool, "-c", "-b", users, username, password).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b := broker{"mosquitto", freePort(t), freePort(t), false}
	_, open, _ := net.SplitHostPort(b.open)
	_, guarded, _ := net.SplitHostPort(b.guarded)
	config := fmt.Sprintf("per_listener_settings true\nuser root\n"+
		"listener %s 127.0.0.1\nallow_anonymous true\nlistener %s 127.0.0.1\nallow_anonymous false\npassword_file %s\n", open, guarded, users)
	file := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "-c", file)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // killed
		if t.Failed() {
			t.Logf("mosquitto: %s", &log)
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", b.guarded)
		if err == nil {
			conn.Close()
			return b, true
		}
		if time.Now().After(deadline) {
			t.Fatalf("mosquitto does not listen: %v: %s", err, &log)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// witness subscribes at the far end, with paho: another's code than the device's own. What it got comes as "topic payload".
func witness(t testing.TB, endpoint, filter string, qos byte) <-chan string {
	t.Helper()
	up, got := make(chan bool, 1), make(chan string, 10_000)
	s := &mqtt.Subscriber{Endpoint: endpoint, ClientID: "witness-" + filter, Filters: []string{filter}, QoS: qos, Paho: true,
		OnUp:      func(bool) { up <- true },
		OnMessage: func(topic, payload []byte, _ time.Time, _ bool) { got <- string(topic) + " " + string(payload) }}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	select {
	case <-up:
	case <-time.After(patience):
		t.Fatal("the witness is not up")
	}
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
