package http

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/internal/peers"
	"github.com/myriad-iot/myriad/sim/link"
)

// overTLS is an opener for devices of an authority, with the source addresses of sim/link.
func overTLS(t *testing.T, a *identity.Authority, s sim.Security) *Opener {
	t.Helper()
	b := sim.Binding{Channel: sim.ChannelHTTP, Transport: sim.TransportTLS, Security: s, ConnectTimeout: sim.Duration(5 * time.Second)}
	d, err := link.New(&b, a)
	if err != nil {
		t.Fatal(err)
	}
	return &Opener{Binding: b, DialConn: d.Dial}
}

func device(n sim.Ordinal, endpoint string) *sim.Caller {
	c := &sim.Caller{ID: fmt.Sprintf("plc-%d", n), Ordinal: n, Endpoint: endpoint}
	c.Source = link.SourcesFor(endpoint, 1000, nil).Of(uint64(n), 0)
	return c
}

// Each device shows its own certificate and calls from its own address, also when it calls again.
func TestADevicesOwnCertificateAndAddress(t *testing.T) {
	a := &identity.Authority{Seed: 3}
	certificate, err := a.Server()
	if err != nil {
		t.Fatal(err)
	}
	roots, err := a.Pool()
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		w.Header().Set("Connection", r.URL.RawQuery)
		fmt.Fprintf(w, "%s %s %s", r.TLS.PeerCertificates[0].Subject.CommonName, r.TLS.NegotiatedProtocol, r.RemoteAddr)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{*certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of each handshake that fails
	s.StartTLS()
	defer s.Close()
	endpoint := s.Listener.Addr().String()
	o := overTLS(t, a, sim.Security{Credential: sim.CredentialCertificate})
	for n := range sim.Ordinal(3) {
		c := device(n, endpoint)
		r, facts, outcome := o.Open(t.Context(), c)
		if outcome != sim.OK || !facts.Secured.After(facts.Opened) || facts.Established.Before(facts.Opened) {
			t.Fatalf("%v, %+v", outcome, facts)
		}
		want := fmt.Sprintf("plc-%d http/1.1 %s", n, c.Source)
		if got := ask(t, r.(*Line), sim.Request{Path: "/?close"}); got.outcome != sim.OK || got.body != want {
			t.Errorf("%v, %q, want %q", got.outcome, got.body, want)
		}
		if got := ask(t, r.(*Line), sim.Request{}); got.outcome != sim.OK || got.Attempts != 1 || got.body[:5] != want[:5] {
			t.Errorf("the second connection: %v, %q", got.outcome, got.body)
		}
		r.Close(n == 1)
	}
	// A server that refuses the device says so after a TLS 1.3 handshake that has already succeeded for the device.
	stranger := overTLS(t, &identity.Authority{Seed: 4}, sim.Security{Credential: sim.CredentialCertificate, CA: pemOf(t, a)})
	for _, c := range []struct {
		o    *Opener
		want sim.Outcome
	}{
		{overTLS(t, a, sim.Security{}), sim.TLSRefused},
		{stranger, sim.TLSRefused},
		{overTLS(t, &identity.Authority{Seed: 4}, sim.Security{}), sim.TLSBadPeer},
	} {
		r, _, outcome := c.o.Open(t.Context(), device(9, endpoint))
		if outcome == sim.OK {
			outcome = ask(t, r.(*Line), sim.Request{}).outcome
			r.Close(true)
		}
		if outcome != c.want {
			t.Errorf("%v, want %v", outcome, c.want)
		}
	}
}

func pemOf(t *testing.T, a *identity.Authority) (path string) {
	t.Helper()
	ca, err := a.CA()
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// openssl's server is another TLS and another HTTP: 1.0, bodies that end with the connection.
func TestAgainstOpenSSL(t *testing.T) {
	program := peers.Program(t, "openssl", "openssl")
	a, dir := &identity.Authority{Seed: 5}, t.TempDir()
	write := func(name string, b []byte, err error) {
		t.Helper()
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	server, err := a.Server()
	if err != nil {
		t.Fatal(err)
	}
	certificate, key, err := identity.PEM(server)
	write("cert.pem", certificate, err)
	write("key.pem", key, err)
	ca, err := a.CA()
	write("ca.pem", ca, err)
	file := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(file)
	write("firmware.bin", file, nil)
	endpoint := fmt.Sprintf("127.0.0.1:%d", peers.Ports(t, 1)[0])
	s := exec.CommandContext(t.Context(), program, "s_server", "-quiet", "-accept", endpoint, "-WWW", "-http_server_binmode",
		"-cert", "cert.pem", "-key", "key.pem", "-CAfile", "ca.pem", "-Verify", "1", "-verify_return_error")
	s.Dir = dir
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Process.Kill(); _ = s.Wait() }()
	o := overTLS(t, a, sim.Security{Credential: sim.CredentialCertificate})
	r, _, outcome := o.Open(t.Context(), device(1, endpoint))
	for begin := time.Now(); outcome == sim.TCPRefused && time.Since(begin) < 20*time.Second; time.Sleep(20 * time.Millisecond) {
		r, _, outcome = o.Open(t.Context(), device(1, endpoint))
	}
	if outcome != sim.OK {
		t.Fatal(outcome)
	}
	defer r.Close(false)
	for range 2 {
		sum := sha256.New()
		a, o := r.Request(context.Background(), &sim.Request{Path: "/firmware.bin"}, func(_ *sim.Answer, part []byte) error {
			_, err := sum.Write(part)
			return err
		})
		if want := sha256.Sum256(file); o != sim.OK || a.Code != 200 || !bytes.Equal(sum.Sum(nil), want[:]) {
			t.Errorf("%v, %+v", o, a)
		}
	}
	none, _, outcome := overTLS(t, a, sim.Security{}).Open(t.Context(), device(2, endpoint))
	if outcome == sim.OK {
		outcome = ask(t, none.(*Line), sim.Request{Path: "/firmware.bin"}).outcome
		none.Close(true)
	}
	if outcome != sim.TLSRefused {
		t.Errorf("without a certificate: %v", outcome)
	}
}
