package link

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/identity"
)

// Dialer connects the devices of one binding. [New] makes it; it may be used by many goroutines and
// must not be copied.
type Dialer struct {
	transport sim.Transport
	security  sim.Security
	client    sim.Client     // a library's connect as that does
	weather   sim.Weather    // nil: none
	nat       sim.Translated // nil: none is on the way
	salt      uint64         // of the weather's draws: the binding
	network   func(host string, apart time.Duration) (net.Conn, error)
	apart     func(c *sim.Caller) time.Duration // nil without network
	leaving   leaving
	protocols []string // ALPN
	authority *identity.Authority
	roots     *x509.CertPool
	configs   sync.Map // server name -> *tls.Config
	sessions  sync.Map // device -> *tls.ClientSessionState: the last ticket, if sessions are resumed
	buffers   buffers
	clock     clock
}

// New returns the dialer of a binding. Devices get their certificates from authority, and trust it
// unless the binding names other roots; it may be nil for transports that are not secured. The error
// is about the file of the roots, or about the binding.
func New(b *sim.Binding, authority *identity.Authority) (*Dialer, error) {
	d := &Dialer{transport: b.Transport, security: b.Security, authority: authority, client: b.Client, salt: saltOf(b.Role)}
	if !b.Transport.Secured() || b.Transport == sim.TransportDTLS {
		return d, nil
	}
	switch b.Channel {
	case sim.ChannelCoAP:
		d.protocols = []string{"coap"} // RFC 8323 section 8.2
	case sim.ChannelHTTP:
		d.protocols = []string{"http/1.1"} // RFC 7301 section 6
	}
	switch b.Security.TLS {
	case "", "1.2", "1.3":
	default:
		return nil, fmt.Errorf("TLS version %q: it is 1.2 or 1.3", b.Security.TLS)
	}
	if b.Security.Credential == sim.CredentialPSK {
		return nil, errors.New("pre-shared keys are for DTLS: TLS has them for resumption only")
	}
	if authority == nil {
		return nil, errors.New("a secured transport needs the run's authority")
	}
	var err error
	if d.roots, err = authority.Pool(); err != nil {
		return nil, err
	}
	if b.Security.CA == "" {
		return d, nil
	}
	text, err := os.ReadFile(b.Security.CA)
	if err != nil {
		return nil, fmt.Errorf("roots of the peer's certificate: %w", err)
	}
	if d.roots = x509.NewCertPool(); !d.roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("roots of the peer's certificate: %s holds no certificate in PEM", b.Security.CA)
	}
	return d, nil
}

// Dial connects over the binding's transport: TCP, TLS, WebSocket or WebSocket over TLS. Over TLS the
// conn is a [sim.Handshaker]; every conn has SetLinger(int) error. [Outcome] knows the errors that
// are not TCP's. When ctx is cancelled the error is context.Canceled.
func (d *Dialer) Dial(ctx context.Context, c *sim.Caller) (net.Conn, error) {
	host, path := target(c.Endpoint)
	tcp, err := d.dialTCP(ctx, c, host)
	if err != nil {
		return nil, err
	}
	conn := tcp
	if d.transport.Secured() {
		if conn, err = d.TLS(ctx, conn, c); err != nil {
			_ = tcp.Close()
			return nil, err
		}
	}
	if d.transport == sim.TransportWS || d.transport == sim.TransportWSS {
		if conn, err = d.WebSocket(ctx, conn, host, path); err != nil {
			_ = tcp.Close()
			return nil, err
		}
	}
	return conn, nil
}

// DialTCP connects TCP from the caller's source with TCP_NODELAY and without TCP keep-alive: a
// protocol's own is what notices a dead peer. A source that is in use is left for the next port of its
// block. The conn has SetLinger(int) error.
func (d *Dialer) DialTCP(ctx context.Context, c *sim.Caller) (net.Conn, error) {
	host, _ := target(c.Endpoint)
	return d.dialTCP(ctx, c, host)
}

func (d *Dialer) dialTCP(ctx context.Context, c *sim.Caller, host string) (net.Conn, error) {
	if d.weather != nil {
		return d.dialTCPThrough(ctx, c, host)
	}
	conn, err := d.connect(ctx, c, host)
	if err != nil {
		return nil, err
	}
	return metered(conn, d.traffic(c)), nil
}

// SetNetwork makes the dialer connect by connect instead of by sockets, under the same weather and TLS: for networks in
// memory. Whether its conns are streams or keep datagrams apart is the endpoint's, as the binding's transport is. In virtual time, whose order of what is due at one instant is chance, apart says how much later than
// due a caller's packets pass. It must be called before the first Dial.
func (d *Dialer) SetNetwork(connect func(host string, apart time.Duration) (net.Conn, error), apart func(c *sim.Caller) time.Duration) {
	d.network, d.apart = connect, apart
}

func (d *Dialer) connect(ctx context.Context, c *sim.Caller, host string) (conn net.Conn, err error) {
	if d.network != nil {
		return d.network(host, d.late(c))
	}
	to, _ := netip.ParseAddrPort(host)
	err = tries(c.Source, func(at netip.AddrPort) error {
		if d.owns(to) {
			conn, err = dialSocket(ctx, &d.clock, "tcp", at, to)
			return err
		}
		dialer := net.Dialer{KeepAlive: -1}
		if at.IsValid() {
			dialer.Control, dialer.LocalAddr = reuse, net.TCPAddrFromAddrPort(at)
		}
		conn, err = dialed(ctx, &dialer, "tcp", host)
		return err
	})
	return conn, err
}

// DialUDP opens a UDP socket that is connected to the endpoint, from the caller's source. The conn
// has a method Raw() [Raw], or is a *net.UDPConn, as it is for a library's clients.
func (d *Dialer) DialUDP(ctx context.Context, c *sim.Caller) (net.Conn, error) {
	if d.weather == nil {
		conn, err := d.openUDP(ctx, c.Source, c.Endpoint, d.late(c))
		if err != nil {
			return nil, err
		}
		return metered(conn, d.traffic(c)), nil
	}
	w, err := d.expose(c, false)
	if err == nil {
		w.Conn, err = d.openUDP(ctx, c.Source, c.Endpoint, w.apart)
	}
	if err != nil {
		return nil, err
	}
	return w, nil
}

// late is how much later than due a caller's packets pass, see SetNetwork.
func (d *Dialer) late(c *sim.Caller) time.Duration {
	if d.apart == nil {
		return 0
	}
	return d.apart(c)
}

func (d *Dialer) openUDP(ctx context.Context, source netip.AddrPort, endpoint string, late time.Duration) (conn net.Conn, err error) {
	if d.network != nil {
		return d.network(endpoint, late)
	}
	to, _ := netip.ParseAddrPort(endpoint)
	err = tries(source, func(at netip.AddrPort) error {
		if d.owns(to) {
			conn, err = dialSocket(ctx, &d.clock, "udp", at, to)
			return err
		}
		var dialer net.Dialer
		if at.IsValid() { // without SO_REUSEADDR, which would let one socket take another's datagrams
			dialer.LocalAddr = net.UDPAddrFromAddrPort(at)
		}
		conn, err = dialed(ctx, &dialer, "udp", endpoint)
		return err
	})
	return conn, err
}

// owns reports whether a connection to to is a socket of our own: there is nothing to look up.
func (d *Dialer) owns(to netip.AddrPort) bool {
	return ownSockets && d.client == sim.ClientOwn && to.IsValid() && to.Addr().Zone() == ""
}

// dialed is DialContext with ctx's deadline, whether ctx's Done tells of that or not (see [sim.Deadline]).
func dialed(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	return d.DialContext(ctx, network, address)
}

// tries calls dial with one port of source's block after the other while they are in use.
func tries(source netip.AddrPort, dial func(netip.AddrPort) error) error {
	var err error
	for n := range block {
		err = dial(step(source, n))
		inUse := errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL)
		if !inUse || source.Port() == 0 {
			break
		}
	}
	return err
}

// within runs a handshake on conn no longer than ctx allows, and takes the deadline away after it.
// The error of a cancelled ctx is ctx's.
func within(ctx context.Context, conn net.Conn, handshake func() error) error {
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	moved := make(chan struct{})
	stop := sim.AfterFunc(ctx, func() {
		_ = conn.SetDeadline(time.Unix(1, 0))
		close(moved)
	})
	err := handshake()
	if !stop() {
		<-moved
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case err != nil:
		return err
	}
	return conn.SetDeadline(time.Time{})
}

// SetLinger is what an abrupt close asks of a TCP connection; other conns have none, and no unsent
// data either.
func setLinger(conn net.Conn, sec int) error {
	if l, ok := conn.(interface{ SetLinger(int) error }); ok {
		return l.SetLinger(sec)
	}
	return nil
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
