package coap

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/gob"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/link"
)

// DTLS is how the devices of a binding and their peer prove who they are (DTLS 1.2, RFC 6347). It must
// not be copied or changed after the first Dial. Of the binding's Security, Credential, ServerName, CID
// and Resume are used.
type DTLS struct {
	// PSK is a device's identity and pre-shared key; used for [sim.CredentialPSK].
	PSK func(c *sim.Caller) (identity, key []byte)
	// Certificate makes the certificate of a device; used for [sim.CredentialCertificate].
	Certificate func(c *sim.Caller) (*tls.Certificate, error)
	// Roots are what the peer's certificate is checked against; nil: those of the system.
	Roots *x509.CertPool

	sessions sync.Map // deviceKey -> dtls.Session, if sessions are resumed
}

type deviceKey struct {
	fleet   uint16
	ordinal sim.Ordinal
}

// shelf stores the session of one device. It implements pion's SessionStore, whose keys tell
// servers apart by address, not devices.
type shelf struct {
	all *sync.Map
	key deviceKey
}

// Set implements dtls.SessionStore.
func (s shelf) Set(_ []byte, session dtls.Session) error {
	s.all.Store(s.key, session)
	return nil
}

// Get implements dtls.SessionStore.
func (s shelf) Get([]byte) (dtls.Session, error) {
	v, _ := s.all.Load(s.key)
	session, _ := v.(dtls.Session)
	return session, nil
}

// Del implements dtls.SessionStore.
func (s shelf) Del([]byte) error {
	s.all.Delete(s.key)
	return nil
}

// exported is what we use of a pion connection's exported state; see its State.MarshalBinary.
type exported struct {
	LocalRandom, RemoteRandom            [32]byte
	CipherSuiteID                        uint16
	MasterSecret                         []byte
	SequenceNumber, RemoteSequenceNumber uint64
	SessionID, RemoteConnectionID        []byte
}

func (d *Dialer) handshake(ctx context.Context, deadline time.Time, conn net.Conn, caller *sim.Caller) (*secured, bool, sim.Outcome) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	return d.secure(ctx, conn, caller)
}

// secure runs the handshake on conn, with pion's goroutines, which end with it, and takes the
// association over from pion.
func (d *Dialer) secure(ctx context.Context, conn net.Conn, caller *sim.Caller) (s *secured, resumed bool, o sim.Outcome) {
	opts, offered, err := d.dtlsOptions(caller)
	if err != nil {
		return nil, false, sim.LocalOther
	}
	t := &transport{conn: conn}
	p, err := dtls.ClientWithOptions(t, conn.RemoteAddr(), opts...)
	if err != nil {
		return nil, false, sim.LocalOther
	}
	err = p.HandshakeContext(ctx)
	t.leave() // before Close, which would send close_notify
	_ = p.Close()
	if err != nil {
		return nil, false, t.outcome(ctx, err)
	}
	state, ok := p.ConnectionState()
	if !ok {
		return nil, false, sim.TLSFailure
	}
	e, err := export(&state)
	if err != nil {
		return nil, false, sim.LocalOther
	}
	r, err := newRecords(e)
	if err != nil {
		return nil, false, sim.LocalOther
	}
	s = &secured{Conn: conn, records: r, d: d}
	if resumed = len(offered) > 0 && bytes.Equal(offered, e.SessionID); resumed {
		s.flight = t.flight // ours was the last flight, and may not have arrived
	}
	return s, resumed, sim.OK
}

func export(state *dtls.State) (*exported, error) {
	b, err := state.MarshalBinary()
	if err != nil {
		return nil, err
	}
	e := new(exported)
	return e, gob.NewDecoder(bytes.NewReader(b)).Decode(e)
}

// dtlsOptions are the options of one device's handshake, and the session that it offers to resume.
func (d *Dialer) dtlsOptions(caller *sim.Caller) (opts []dtls.ClientOption, offered []byte, err error) {
	security := &d.Binding.Security
	host, _, _ := net.SplitHostPort(caller.Endpoint)
	psk := security.Credential == sim.CredentialPSK
	opts = []dtls.ClientOption{
		dtls.WithLoggerFactory(&logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}),
		dtls.WithCipherSuites(suites(psk)...),
		dtls.WithServerName(cmp.Or(security.ServerName, host)),
	}
	if d.Secure.Roots != nil {
		opts = append(opts, dtls.WithRootCAs(d.Secure.Roots))
	}
	switch security.Credential {
	case sim.CredentialPSK:
		if d.Secure.PSK == nil {
			return nil, nil, errors.New("coap: no pre-shared keys")
		}
		identity, key := d.Secure.PSK(caller)
		opts = append(opts, dtls.WithPSKIdentityHint(identity),
			dtls.WithPSK(func([]byte) ([]byte, error) { return key, nil }))
	case sim.CredentialCertificate:
		if d.Secure.Certificate == nil {
			return nil, nil, errors.New("coap: no certificates")
		}
		opts = append(opts, dtls.WithGetClientCertificate(func(*dtls.CertificateRequestInfo) (*tls.Certificate, error) {
			return d.Secure.Certificate(caller)
		}))
	}
	if security.CID {
		opts = append(opts, dtls.WithConnectionIDGenerator(dtls.OnlySendCIDGenerator()))
	}
	if security.Resume {
		store := shelf{&d.Secure.sessions, deviceKey{caller.Fleet, caller.Ordinal}}
		session, _ := store.Get(nil) // never fails
		offered = session.ID
		opts = append(opts, dtls.WithSessionStore(store))
	}
	return opts, offered, nil
}

// outcome classes the error of a handshake. pion keeps the type of a received alert to itself.
func (t *transport) outcome(ctx context.Context, err error) sim.Outcome {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var op *net.OpError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return sim.AppUnknown
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		if t.unreachable && !t.heard {
			return sim.CoAPUnreachable
		}
		return sim.TLSTimeout
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &invalid):
		return link.BadPeer(err)
	case credentialRefused(err.Error()):
		return sim.TLSRefused
	case errors.As(err, &op):
		return broken(err)
	}
	return sim.TLSFailure
}

// credentialRefused reports whether a peer's alert is about our credential.
func credentialRefused(text string) bool {
	_, name, ok := strings.Cut(text, "alert: Alert LevelFatal: ")
	if !ok {
		_, name, ok = strings.Cut(text, "Alert Fatal: ")
	}
	if !ok {
		return false
	}
	for _, credential := range []string{
		"BadCertificate", "UnsupportedCertificate", "CertificateRevoked", "CertificateExpired", "CertificateUnknown",
		"NoCertificate", "UnknownCA", "AccessDenied", "DecryptError", "Invalid alert description",
	} {
		if strings.HasPrefix(name, credential) {
			return true
		}
	}
	return false
}
