package link

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// authority makes a new one each time: client and server are two processes.
func authority(seed uint64) *identity.Authority { return &identity.Authority{Seed: seed} }

func tlsDialer(t testing.TB, s sim.Security, a *identity.Authority) *Dialer {
	t.Helper()
	d, err := New(&sim.Binding{Channel: sim.ChannelMQTT, Transport: sim.TransportTLS, Security: s}, a)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// serverConfig is a server of a's that asks for certificates and takes a's devices only.
func serverConfig(t testing.TB, a *identity.Authority, auth tls.ClientAuthType) *tls.Config {
	t.Helper()
	c, err := a.Server()
	if err != nil {
		t.Fatal(err)
	}
	pool, err := a.Pool()
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{*c}, ClientAuth: auth, ClientCAs: pool}
}

// echo serves conn over TLS: what it reads it sends back, after the client's common name.
func echo(conn net.Conn, config *tls.Config) {
	s := tls.Server(conn, config)
	defer func() { _ = s.Close() }()
	if s.Handshake() != nil {
		return
	}
	name := "nobody"
	if peers := s.ConnectionState().PeerCertificates; len(peers) > 0 {
		name = peers[0].Subject.CommonName
	}
	_, _ = io.WriteString(s, name+"\n")
	_, _ = io.Copy(s, s)
}

var caller = sim.Caller{ID: "meters-5", Ordinal: 5, Fleet: 1, Endpoint: "127.0.0.1:8883"}

func TestTLSShowsTheDevicesCertificate(t *testing.T) {
	for _, version := range []string{"", "1.2", "1.3"} {
		for credential, want := range map[sim.Credential]string{sim.CredentialCertificate: "meters-5\n", sim.CredentialNone: "nobody\n"} {
			t.Run(version+string(credential), func(t *testing.T) {
				near, far := net.Pipe()
				go echo(far, serverConfig(t, authority(1), tls.VerifyClientCertIfGiven))
				d := tlsDialer(t, sim.Security{Credential: credential, TLS: version}, authority(1))
				before := time.Now()
				conn, err := d.TLS(t.Context(), near, &caller)
				if err != nil {
					t.Fatal(err)
				}
				go func() { _, _ = io.WriteString(conn, "hello") }()
				got := make([]byte, len(want)+5)
				if _, err := io.ReadFull(conn, got); err != nil || string(got) != want+"hello" {
					t.Errorf("%q, %v", got, err)
				}
				over, resumed := conn.(sim.Handshaker).Handshake()
				opened := conn.(interface{ Opened() time.Time }).Opened()
				if opened.Before(before) || over.Before(opened) || resumed {
					t.Errorf("begun at %v, opened at %v, over at %v, resumed %v", before, opened, over, resumed)
				}
				state := conn.(*secured).Conn.(*tls.Conn).ConnectionState()
				if name := tls.VersionName(state.Version); version != "" && name != "TLS "+version {
					t.Errorf("it was %s", name)
				}
				_ = near.Close()
			})
		}
	}
}

// A read that its deadline ends, in the middle of a record, has lost nothing.
func TestTLSReadGoesOnAfterDeadline(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		slow := &trickle{Conn: far}
		old := authority(1)
		old.Since = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC) // it is 2000 in here
		served := make(chan struct{})
		go func() {
			echo(slow, serverConfig(t, old, tls.NoClientCert))
			close(served)
		}()
		d := tlsDialer(t, sim.Security{}, old)
		conn, err := d.TLS(t.Context(), near, &caller)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		interrupted := 0
		for p := make([]byte, 64); len(got) < len("nobody\n"); {
			_ = conn.SetReadDeadline(time.Now().Add(700 * time.Millisecond))
			n, err := conn.Read(p)
			if got = append(got, p[:n]...); errors.Is(err, os.ErrDeadlineExceeded) {
				interrupted++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if string(got) != "nobody\n" || interrupted < 10 {
			t.Errorf("%q after %d interruptions", got, interrupted)
		}
		_, _ = near.Close(), far.Close()
		<-served
	})
}

// trickle sends application data a byte a second.
type trickle struct {
	net.Conn
	shook bool
}

func (c *trickle) Write(p []byte) (int, error) {
	if c.shook = c.shook || p[0] == 23 && len(p) == 5+8+16; !c.shook {
		return c.Conn.Write(p)
	}
	for i := range p {
		time.Sleep(time.Second)
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// Full and resumed handshakes are told apart, for each device by itself.
func TestTLSResumes(t *testing.T) {
	for _, version := range []string{"1.2", "1.3"} {
		for _, resume := range []bool{true, false} {
			t.Run(version, func(t *testing.T) {
				config := serverConfig(t, authority(1), tls.RequireAndVerifyClientCert)
				d := tlsDialer(t, sim.Security{Credential: sim.CredentialCertificate, TLS: version, Resume: resume}, authority(1))
				l := listen(t) // a pipe holds nothing: the ticket would wait for the client, and the client for it
				call := func(o sim.Ordinal, want bool) {
					t.Helper()
					near, err := net.Dial("tcp", l.Addr().String())
					if err != nil {
						t.Fatal(err)
					}
					far, err := l.Accept()
					if err != nil {
						t.Fatal(err)
					}
					go echo(far, config)
					c := caller
					c.Ordinal = o
					conn, err := d.TLS(t.Context(), near, &c)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := conn.Read(make([]byte, 64)); err != nil { // TLS 1.3 sends the ticket before
						t.Fatal(err)
					}
					if _, resumed := conn.(sim.Handshaker).Handshake(); resumed != want {
						t.Errorf("device %d: resumed is %v", o, resumed)
					}
					_ = near.Close()
				}
				call(1, false)
				call(1, resume)
				call(2, false) // another's ticket is not its own
				call(1, resume)
			})
		}
	}
}

func TestTLSOutcomes(t *testing.T) {
	past := authority(1)
	past.Since, past.Life = time.Now().Add(-2*time.Hour), time.Hour
	roots := filepath.Join(t.TempDir(), "ca.pem")
	text, err := authority(2).CA()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(roots, text, 0o600); err != nil {
		t.Fatal(err)
	}
	mutual := sim.Security{Credential: sim.CredentialCertificate}
	with := func(version string) sim.Security {
		return sim.Security{Credential: sim.CredentialCertificate, TLS: version}
	}
	for name, c := range map[string]struct {
		security sim.Security
		device   *identity.Authority
		server   *identity.Authority
		auth     tls.ClientAuthType
		want     sim.Outcome
	}{
		"good":                            {mutual, authority(1), authority(1), tls.RequireAndVerifyClientCert, sim.OK},
		"roots from a file":               {sim.Security{CA: roots}, authority(1), authority(2), tls.NoClientCert, sim.OK},
		"peer of another authority":       {mutual, authority(1), authority(2), tls.NoClientCert, sim.TLSBadPeer},
		"D4: peer expired":                {mutual, authority(1), past, tls.NoClientCert, sim.TLSExpired},
		"peer of another name":            {sim.Security{ServerName: "broker.example"}, authority(1), authority(1), tls.NoClientCert, sim.TLSBadPeer},
		"peer not of the file's roots":    {sim.Security{CA: roots}, authority(1), authority(1), tls.NoClientCert, sim.TLSBadPeer},
		"1.2: device not known":           {with("1.2"), authority(77), authority(1), tls.RequireAndVerifyClientCert, sim.TLSRefused},
		"1.3: device not known":           {with("1.3"), authority(77), authority(1), tls.RequireAndVerifyClientCert, sim.TLSRefused},
		"1.2: device expired":             {with("1.2"), past, authority(1), tls.RequireAndVerifyClientCert, sim.TLSRefused},
		"1.3: device expired":             {with("1.3"), past, authority(1), tls.RequireAndVerifyClientCert, sim.TLSRefused},
		"1.2: device without certificate": {sim.Security{TLS: "1.2"}, authority(1), authority(1), tls.RequireAndVerifyClientCert, sim.TLSRefused},
		"1.3: device without certificate": {sim.Security{TLS: "1.3"}, authority(1), authority(1), tls.RequireAndVerifyClientCert, sim.TLSRefused},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			go func() {
				if conn, err := l.Accept(); err == nil {
					echo(conn, serverConfig(t, c.server, c.auth))
				}
			}()
			d := tlsDialer(t, c.security, c.device)
			if c.security.Credential == sim.CredentialCertificate { // whatever it shows, it trusts this one
				d.roots, _ = authority(1).Pool()
			}
			who := caller
			who.Endpoint = l.Addr().String()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			conn, err := d.Dial(ctx, &who)
			if err == nil { // TLS 1.3 refuses a client after the handshake, as the client sees it
				_, err = conn.Read(make([]byte, 64))
				_ = conn.Close()
			}
			if o, _ := Outcome(err); o != c.want || c.want == sim.OK && err != nil {
				t.Errorf("%v is %v, want %v", err, o.Class(), c.want.Class())
			}
		})
	}
}

// Peers that are no TLS servers: garbage and an end are told apart, silence runs into the timeout, and
// a cancelled call says so at once.
func TestTLSHostilePeers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			answer string
			end    bool
			cancel bool
			want   sim.Outcome
		}{
			"garbage":     {"\x20\x02\x00\x00 this is MQTT, not TLS", false, false, sim.TLSFailure},
			"HTTP":        {"HTTP/1.1 400 Bad Request\r\n\r\n", false, false, sim.TLSFailure},
			"huge record": {"\x16\x03\x03\xff\xff", false, false, sim.TLSFailure},
			"bad hello":   {"\x16\x03\x03\x00\x04\x02\x00\x00\x00", false, false, sim.TLSFailure},
			"alert":       {"\x15\x03\x03\x00\x02\x02\x28", false, false, sim.TLSFailure},
			"silence":     {"", false, false, sim.TLSTimeout},
			"half":        {"\x16\x03\x03\x01\x00\x02", false, false, sim.TLSTimeout},
			"end":         {"", true, false, sim.OK},
			"cancelled":   {"", false, true, sim.OK},
		} {
			near, far := net.Pipe()
			go func() {
				b := make([]byte, 2048)
				_, _ = far.Read(b)
				go func() { _, _ = io.Copy(io.Discard, far) }()
				_, _ = io.WriteString(far, c.answer)
				if c.end {
					_ = far.Close()
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if c.cancel {
				time.AfterFunc(100*time.Millisecond, cancel)
			}
			start := time.Now()
			_, err := tlsDialer(t, sim.Security{}, authority(1)).TLS(ctx, near, &caller)
			if o, _ := Outcome(err); err == nil || o != c.want {
				t.Errorf("%s: %v is %v", name, err, o.Class())
			}
			if c.end && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) || c.cancel && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			if wait := time.Since(start); wait > time.Second {
				t.Errorf("%s: took %v", name, wait)
			}
			cancel()
			_, _ = near.Close(), far.Close()
		}
	})
}

// An abrupt close says no goodbye: the server sees a reset, and no close_notify before it.
func TestTLSAbruptClose(t *testing.T) {
	l := listen(t)
	ended := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			ended <- err
			return
		}
		s := tls.Server(conn, serverConfig(t, authority(1), tls.NoClientCert))
		_, err = io.Copy(io.Discard, s)
		ended <- err
	}()
	who := caller
	who.Endpoint = l.Addr().String()
	conn, err := tlsDialer(t, sim.Security{}, authority(1)).Dial(t.Context(), &who)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "x")
	_ = conn.(interface{ SetLinger(int) error }).SetLinger(0)
	_ = conn.Close()
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server saw %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]sim.Binding{
		"version":      {Security: sim.Security{TLS: "1.1"}},
		"psk":          {Security: sim.Security{Credential: sim.CredentialPSK}},
		"missing file": {Security: sim.Security{CA: empty + "x"}},
		"empty file":   {Security: sim.Security{CA: empty}},
	} {
		b.Transport = sim.TransportTLS
		if _, err := New(&b, authority(1)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(&sim.Binding{Transport: sim.TransportTLS}, nil); err == nil {
		t.Error("no authority, and no error")
	}
	if _, err := New(new(sim.Binding), nil); err != nil {
		t.Error(err)
	}
}
