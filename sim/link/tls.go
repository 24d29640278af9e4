package link

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// secured is a connection over TLS.
type secured struct {
	net.Conn // a *tls.Conn
	opened   time.Time
	over     time.Time
	resumed  bool
	abrupt   bool
}

// Handshake implements [sim.Handshaker].
func (s *secured) Handshake() (over time.Time, resumed bool) { return s.over, s.resumed }

// Opened is when the handshake began: when TCP was connected.
func (s *secured) Opened() time.Time { return s.opened }

// Write implements net.Conn. A server that refuses a client's certificate in TLS 1.3 says so after
// the client's handshake, and hangs up: the client learns it by writing to a connection that is gone,
// with the reason still to be read.
func (s *secured) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	if err != nil && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)) {
		_ = s.Conn.SetReadDeadline(time.Now().Add(controlTime))
		if _, said := s.Conn.Read(make([]byte, 1)); said != nil {
			if _, known := tlsOutcome(said); known {
				return n, said
			}
		}
	}
	return n, err
}

// SetLinger is the TCP connection's. With 0 the next Close sends no close_notify.
func (s *secured) SetLinger(sec int) error {
	s.abrupt = sec == 0
	return setLinger(s.Conn.(*tls.Conn).NetConn(), sec)
}

// Close implements net.Conn.
func (s *secured) Close() error {
	if s.abrupt {
		return s.Conn.(*tls.Conn).NetConn().Close()
	}
	return s.Conn.Close()
}

// device tells sessions apart.
type device struct {
	fleet   uint16
	ordinal sim.Ordinal
}

// shaking is what a handshake's context carries: who it is, and whether the peer asked.
type shaking struct {
	caller *sim.Caller
	asked  bool
}

type shakingKey struct{}

// TLS makes a TLS connection of conn and returns after the handshake; the result is a
// [sim.Handshaker], and has Opened() time.Time beside. conn is the caller's to close on error.
func (d *Dialer) TLS(ctx context.Context, conn net.Conn, c *sim.Caller) (net.Conn, error) {
	client := tls.Client(conn, d.config(c))
	s, opened := &shaking{caller: c}, time.Now()
	err := within(ctx, conn, func() error {
		return client.HandshakeContext(context.WithValue(context.WithoutCancel(ctx), shakingKey{}, s))
	})
	if err != nil {
		return nil, d.handshakeError(err, s)
	}
	resumed := d.security.Resume && client.ConnectionState().DidResume
	return &secured{Conn: client, opened: opened, over: time.Now(), resumed: resumed}, nil
}

// handshakeError gives an error of a handshake its outcome, unless it is TCP's or the context's.
func (d *Dialer) handshakeError(err error, s *shaking) error {
	outcome, known := tlsOutcome(err)
	var op *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case isTimeout(err):
		outcome = sim.TLSTimeout
	case known && s.asked && d.security.Credential == sim.CredentialNone && errors.As(err, &op) &&
		op.Op == "remote error" && is(op.Err, alertHandshakeFailure):
		outcome = sim.TLSRefused // how TLS 1.2 says that it wants a certificate
	case known:
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return err
	default:
		outcome = sim.TLSFailure
	}
	return &Failure{outcome, err}
}

// config is the configuration of c's connection: that of all connections to its server, unless
// sessions are resumed.
func (d *Dialer) config(c *sim.Caller) *tls.Config {
	name := d.security.ServerName
	if name == "" {
		name, _ = target(c.Endpoint)
		if host, _, err := net.SplitHostPort(name); err == nil {
			name = host
		}
	}
	shared, ok := d.configs.Load(name)
	if !ok {
		shared, _ = d.configs.LoadOrStore(name, d.newConfig(name))
	}
	config := shared.(*tls.Config)
	if d.security.Resume {
		config = config.Clone()
		config.ClientSessionCache = &ticket{d, device{c.Fleet, c.Ordinal}}
	}
	return config
}

func (d *Dialer) newConfig(name string) *tls.Config {
	c := &tls.Config{
		RootCAs: d.roots, ServerName: name, NextProtos: d.protocols,
		MinVersion: tls.VersionTLS12,
		// What devices have. A hybrid key share would make each hello a kilobyte longer.
		CurvePreferences:       []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384},
		SessionTicketsDisabled: !d.security.Resume,
		GetClientCertificate:   d.certificate,
	}
	switch d.security.TLS {
	case "1.2":
		c.MaxVersion = tls.VersionTLS12
	case "1.3":
		c.MinVersion = tls.VersionTLS13
	}
	return c
}

// certificate makes the certificate that the device shows: none, if that is not its credential.
func (d *Dialer) certificate(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	s := r.Context().Value(shakingKey{}).(*shaking)
	s.asked = true
	if d.security.Credential != sim.CredentialCertificate {
		return new(tls.Certificate), nil
	}
	fleet, o := s.caller.Identity()
	return d.authority.Device(fleet, o, s.caller.ID)
}

// ticket is the session cache of one device. It implements tls.ClientSessionCache.
type ticket struct {
	dialer *Dialer
	device device
}

// Get returns the session that the device last had.
func (t *ticket) Get(string) (*tls.ClientSessionState, bool) {
	s, ok := t.dialer.sessions.Load(t.device)
	if !ok {
		return nil, false
	}
	return s.(*tls.ClientSessionState), true
}

// Put keeps a session in the place of the one before; nil removes that.
func (t *ticket) Put(_ string, s *tls.ClientSessionState) {
	if s == nil {
		t.dialer.sessions.Delete(t.device)
		return
	}
	t.dialer.sessions.Store(t.device, s)
}
