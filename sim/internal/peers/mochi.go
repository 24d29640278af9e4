package peers

import (
	"log/slog"
	"net"
	"strconv"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

// Mochi runs a mochi broker that lets everybody in and returns its address.
func Mochi(t testing.TB) string { return MochiWith(t, new(auth.AllowHook), nil) }

// MochiWith is Mochi with a hook, which must let clients in, and the hook's configuration.
func MochiWith(t testing.TB, hook mochi.Hook, config any) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveMochi(t, listeners.NewNet("tcp", l), hook, config)
	return l.Addr().String()
}

// MochiWebSocket is Mochi behind WebSocket, on any path: gorilla/websocket's server.
func MochiWebSocket(t testing.TB) string {
	t.Helper()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(Ports(t, 1)[0])) // mochi's listener takes no other's socket
	serveMochi(t, listeners.NewWebsocket(listeners.Config{ID: "ws", Address: address}), new(auth.AllowHook), nil)
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return address
		} else if time.Now().After(until) {
			t.Fatal(err)
		}
	}
}

func serveMochi(t testing.TB, l listeners.Listener, hook mochi.Hook, config any) {
	t.Helper()
	broker := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := broker.AddHook(hook, config); err != nil {
		t.Fatal(err)
	}
	if err := broker.AddListener(l); err != nil {
		t.Fatal(err)
	}
	if err := broker.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
}
