package link_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/internal/peers"
	"github.com/myriad-iot/myriad/sim/link"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// Real peers: Mosquitto (OpenSSL) for TLS, and mochi's own listener (gorilla/websocket) for WebSocket.

const seed = 11

// device calls as device 3 of a fleet and publishes n messages of size bytes, each acknowledged.
func device(t *testing.T, l *link.Dialer, b sim.Binding, endpoint string, n, size int) sim.Outcome {
	t.Helper()
	d := &mqtt.Dialer{Binding: b, DialConn: l.Dial}
	c, _, outcome := d.Dial(t.Context(), &sim.Caller{ID: "meters-3", Ordinal: 3, Endpoint: endpoint})
	if outcome != sim.OK {
		return outcome
	}
	defer c.Close(false)
	for i := range n {
		m := &sim.Message{Seq: uint32(i), Topic: "up", Payload: bytes.Repeat([]byte{'x'}, size), QoS: 1}
		if o := c.Publish(m); o != sim.OK {
			return o
		}
		if e := c.Wait(time.Now().Add(10 * time.Second)); e.Kind != sim.EventAcked || e.Seq != uint32(i) {
			t.Errorf("message %d: %+v", i, e)
			return e.Outcome
		}
	}
	return sim.OK
}

func binding(transport sim.Transport, s sim.Security) sim.Binding {
	return sim.Binding{Channel: sim.ChannelMQTT, Transport: transport, Security: s, QoS: 1}
}

func dialer(t *testing.T, b sim.Binding, a *identity.Authority) *link.Dialer {
	t.Helper()
	l, err := link.New(&b, a)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// mosquitto starts Debian's broker with a certificate of a's and the lines.
func mosquitto(t *testing.T, a *identity.Authority, lines string) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ca, err := a.CA()
	if err != nil {
		t.Fatal(err)
	}
	server, err := a.Server()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := identity.PEM(server)
	if err != nil {
		t.Fatal(err)
	}
	write("ca.pem", ca)
	write("cert.pem", cert)
	write("key.pem", key)
	config := "allow_anonymous true\ncafile DIR/ca.pem\ncertfile DIR/cert.pem\nkeyfile DIR/key.pem\n" + lines
	return peers.Mosquitto(t, strings.ReplaceAll(config, "DIR", dir))
}

func TestMosquittoMutualTLS(t *testing.T) {
	endpoint := mosquitto(t, &identity.Authority{Seed: seed}, "require_certificate true\nuse_identity_as_username true")
	for _, version := range []string{"", "1.2", "1.3"} {
		for _, resume := range []bool{false, true} {
			t.Run(fmt.Sprint(version, resume), func(t *testing.T) {
				b := binding(sim.TransportTLS, sim.Security{Credential: sim.CredentialCertificate, TLS: version, Resume: resume})
				l := dialer(t, b, &identity.Authority{Seed: seed})
				for call := range 3 {
					d := &mqtt.Dialer{Binding: b, DialConn: l.Dial}
					caller := &sim.Caller{ID: "meters-3", Ordinal: 3, Endpoint: endpoint}
					conn, err := l.Dial(t.Context(), caller)
					if err != nil {
						t.Fatal(err)
					}
					_, resumed := conn.(sim.Handshaker).Handshake()
					if want := resume && call > 0; resumed != want {
						t.Errorf("call %d: resumed is %v", call, resumed)
					}
					_ = conn.Close()
					c, _, outcome := d.Dial(t.Context(), caller) // the ticket comes with what is read
					if outcome != sim.OK {
						t.Fatal(outcome.Class())
					}
					c.Close(false)
				}
				if o := device(t, l, b, endpoint, 20, 3000); o != sim.OK {
					t.Errorf("publishing: %v", o.Class())
				}
			})
		}
	}
}

func TestMosquittoRefuses(t *testing.T) {
	a := &identity.Authority{Seed: seed}
	endpoint := mosquitto(t, a, "require_certificate true")
	expired := &identity.Authority{Seed: seed, Since: time.Now().Add(-2 * time.Hour), Life: time.Hour}
	roots := filepath.Join(t.TempDir(), "ca.pem")
	text, err := a.CA()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(roots, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"1.2", "1.3"} {
		for name, c := range map[string]struct {
			security sim.Security
			device   *identity.Authority
			want     sim.Outcome
		}{
			"no certificate":    {sim.Security{}, a, sim.TLSRefused},
			"expired":           {sim.Security{Credential: sim.CredentialCertificate, CA: roots}, expired, sim.TLSRefused},
			"another authority": {sim.Security{Credential: sim.CredentialCertificate, CA: roots}, &identity.Authority{Seed: seed + 1}, sim.TLSRefused},
			"wrong roots":       {sim.Security{Credential: sim.CredentialCertificate}, &identity.Authority{Seed: seed + 1}, sim.TLSBadPeer},
			"wrong name":        {sim.Security{Credential: sim.CredentialCertificate, ServerName: "other.example"}, a, sim.TLSBadPeer},
		} {
			t.Run(version+" "+name, func(t *testing.T) {
				c.security.TLS = version
				b := binding(sim.TransportTLS, c.security)
				if o := device(t, dialer(t, b, c.device), b, endpoint, 1, 1); o != c.want {
					t.Errorf("%v, want %v", o.Class(), c.want.Class())
				}
			})
		}
	}
}

// mochi's listener is gorilla/websocket: another's server code.
func TestWebSocketAgainstGorilla(t *testing.T) {
	endpoint := peers.MochiWebSocket(t)
	b := binding(sim.TransportWS, sim.Security{})
	for _, size := range []int{1, 200, 60_000} {
		if o := device(t, dialer(t, b, nil), b, endpoint+"/any/path", 20, size); o != sim.OK {
			t.Errorf("%d bytes: %v", size, o.Class())
		}
	}
}
