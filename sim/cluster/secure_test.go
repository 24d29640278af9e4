package cluster

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

const goodToken = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// Beyond loopback the token is all that a worker needs, and with another it does not even offer its own.
func TestJoinOverTLS(t *testing.T) {
	co := start(t, t.TempDir(), Config{Expect: 1, Listen: "0.0.0.0:0", Token: goodToken})
	defer co.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(co.Place().URL, "tls://"))
	if err != nil {
		t.Fatalf("%q: %v", co.Place().URL, err)
	}
	there := "://127.0.0.1:" + port
	wrong := strings.ToLower(goodToken)
	for _, c := range []struct {
		name string
		p    Place
		want error
	}{
		{"the token alone", Place{URL: "tls" + there, Token: goodToken}, nil},
		{"no word of TLS", Place{URL: "nats" + there, Token: goodToken}, nil},
		{"fingerprint", Place{URL: "tls" + there, Token: goodToken, Fingerprint: co.place.Fingerprint}, nil},
		{"wrong token", Place{URL: "tls" + there, Token: wrong}, errKey},
		{"wrong token, no word of TLS", Place{URL: "nats" + there, Token: wrong}, errKey},
		{"wrong fingerprint", Place{URL: "tls" + there, Token: goodToken, Fingerprint: "00"}, errFingerprint},
	} {
		conn, err := c.p.connect()
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err == nil {
			conn.Close()
		}
	}
	// Known by its fingerprint, it still wants the token.
	p := Place{URL: "tls" + there, Token: wrong, Fingerprint: co.place.Fingerprint}
	if _, err := p.connect(); err == nil || !strings.Contains(err.Error(), "the token is wrong") {
		t.Errorf("fingerprint and wrong token: %v", err)
	}
}

// A coordinator in the clear is none for who asked for TLS, or is elsewhere: the token is not sent.
func TestNotInTheClear(t *testing.T) {
	co := start(t, t.TempDir(), Config{Expect: 1, Token: goodToken})
	defer co.Close()
	_, address, _ := strings.Cut(co.Place().URL, "://")
	p := Place{URL: "tls://" + address, Token: goodToken}
	if c, err := p.connect(); err == nil {
		c.Close()
		t.Error("joined in the clear")
	}
	for url, want := range map[string]bool{
		"nats://127.0.0.1:1": true, "127.0.0.1:1": true, "nats://localhost:1": true, "nats://[::1]:1": true,
		"tls://127.0.0.1:1": false, "nats://10.0.0.7:1": false, "10.0.0.7:1": false, "nats://host:1": false,
		"nats://127.0.0.1:1,nats://10.0.0.7:1": false, "nats://127.0.0.1": false,
	} {
		if p := (&Place{URL: url}); p.clear() != want {
			t.Errorf("%s: %v", url, p.clear())
		}
	}
}

func TestWeakToken(t *testing.T) {
	for _, c := range []struct {
		listen, token string
		weak          bool
	}{
		{"0.0.0.0:0", "guessed", true}, {":0", goodToken[:19], true}, {"0.0.0.0:0", goodToken[:20], false},
		{"0.0.0.0:0", "", false}, {"127.0.0.1:0", "guessed", false}, {"", "guessed", false},
	} {
		if err := CheckToken(c.listen, c.token); (err != nil) != c.weak {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := Start(t.Context(), Config{Listen: "0.0.0.0:0", Token: "guessed"}); err == nil {
		t.Error("started with a weak token")
	}
}

// The key is part of what programs of different versions agree on, and says nothing of similar tokens.
func TestBusKey(t *testing.T) {
	a, err := busKey(goodToken)
	if err != nil {
		t.Fatal(err)
	}
	again, err := busKey(goodToken)
	if err != nil || !a.Equal(again) {
		t.Errorf("not the same key: %v", err)
	}
	if other, err := busKey(goodToken + "2"); err != nil || a.PublicKey.Equal(&other.PublicKey) {
		t.Errorf("the same key for another token: %v", err)
	}
}

// Who comes early waits; who is not welcome is told at once.
func TestAwait(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := Place{URL: "nats://" + l.Addr().String(), Token: goodToken}
	l.Close()
	if _, err := p.await(t.Context(), 0); err == nil || !absent(err) {
		t.Fatalf("nobody is there: %v", err)
	}
	joined := make(chan error, 1)
	go func() {
		c, err := p.await(t.Context(), time.Minute)
		if err == nil {
			c.Close()
		}
		joined <- err
	}()
	co := start(t, t.TempDir(), Config{Expect: 1, Listen: l.Addr().String(), Token: goodToken})
	defer co.Close()
	if err := <-joined; err != nil {
		t.Error(err)
	}
	p.Token = "wrong"
	if _, err := p.await(t.Context(), time.Hour); err == nil || !strings.Contains(err.Error(), "the token is wrong") {
		t.Error(err)
	}
}
