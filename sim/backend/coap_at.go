package backend

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	coapdtls "github.com/plgd-dev/go-coap/v3/dtls"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	coapnet "github.com/plgd-dev/go-coap/v3/net"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
	"github.com/plgd-dev/go-coap/v3/options"
	udpclient "github.com/plgd-dev/go-coap/v3/udp/client"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/myriad-iot/myriad/sim/journal"
)

// Datagrams is a port on a network in memory, and who sends to it. A conn is one sender: it keeps datagrams apart, its
// remote address names the sender, and it can be written to after it was closed.
type Datagrams interface {
	// AcceptWithContext waits for a datagram of a sender that has no conn, until Close.
	AcceptWithContext(ctx context.Context) (net.Conn, error)
	// Running waits while the server's process is frozen.
	Running()
	Close() error
}

// NewCoAPServerAt is NewCoAPServer for a port that is there already, on a network in memory and in virtual time. Run
// closes it.
//
// go-coap's server of datagrams wants a UDP socket of the kernel's. Its server of DTLS does not: it serves whatever conns
// it is given, and has the handshake done by those that have one.
func NewCoAPServerAt(at Datagrams, records io.Writer, log *slog.Logger) *CoAPServer {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &CoAPServer{journal: journal.NewWriter(records, 0), log: log, store: new(store), at: at}
	s.peer = func(cc *udpclient.Conn) string { return cc.RemoteAddr().String() }
	s.send = func(cc *udpclient.Conn) func(m *pool.Message) {
		to := cc.NetConn()
		return func(m *pool.Message) {
			if datagram, err := m.MarshalWithEncoder(coder.DefaultCoder); err == nil { // it always fits
				_, _ = to.Write(datagram) // lost: it is repeated
			}
		}
	}
	return s
}

// ending is a port whose end go-coap's server takes for one: after any other error it asks again, and again.
type ending struct{ Datagrams }

// AcceptWithContext implements Datagrams.
func (e ending) AcceptWithContext(ctx context.Context) (net.Conn, error) {
	conn, err := e.Datagrams.AcceptWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", coapnet.ErrListenerIsClosed, err)
	}
	return conn, nil
}

// runAt is Run for such a port.
func (s *CoAPServer) runAt(ctx context.Context) error {
	return s.tended(func(periodic func(func(time.Time) bool)) error {
		srv := coapdtls.NewServer(
			options.WithRequestMonitor(pong),
			options.WithProcessReceivedMessageFunc(s.process),
			options.WithInactivityMonitor(peerIdle, func(cc *udpclient.Conn) { _ = cc.Close() }),
			options.WithPeriodicRunner(periodic),
			options.WithReceivedMessageQueueSize(peerQueue),
			options.WithMessagePool(pool.New(4096, 2048)),
			options.WithBlockwise(false, blockwise.SZX1024, 0),
			options.WithErrors(func(err error) { s.log.Debug("coap", "err", err) }),
		)
		return s.serve(ctx, "coap", func() error { return srv.Serve(ending{s.at}) }, func() {
			srv.Stop()
			_ = s.at.Close() // Stop does not, if Serve has not begun
		})
	})
}
