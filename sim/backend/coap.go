package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	coapnet "github.com/plgd-dev/go-coap/v3/net"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
	"github.com/plgd-dev/go-coap/v3/net/responsewriter"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/options/config"
	"github.com/plgd-dev/go-coap/v3/udp"
	"github.com/plgd-dev/go-coap/v3/udp/client"

	"github.com/myriad-iot/myriad/sim/journal"
)

const (
	// peerIdle is how long go-coap keeps what it holds of a silent peer.
	peerIdle = time.Minute
	// sweep is how often it, and the memory, look for silent peers. They visit all of them.
	sweep = 10 * time.Second
	// peerQueue is how many datagrams of one peer may wait. NSTART is 1 for a decent client.
	peerQueue = 4
	// socketBuffer absorbs a whole fleet that reports at once; the kernel may grant less.
	socketBuffer = 8 << 20

	links = `</>;if="telemetry";ct="0 50 60 110 112"` // RFC 6690
)

// CoAPServer is a CoAP server (RFC 7252, UDP) that accepts telemetry: POST and PUT on any path are
// answered 2.04, GET /.well-known/core tells so. A payload has to fit in one datagram: block-wise
// transfer (RFC 7959) is answered 4.02, as a server must that does not know the option.
//
// go-coap reads, decodes, keeps apart and answers the peers. What it makes of message types is not
// used: it answers a ping with an ACK and a NON with a CON, and it remembers its answer to a NON under
// the message id of the answer, so that a repeated NON counts twice and some later request with that
// id is swallowed. A retransmission is answered again and recorded once; see memory.
type CoAPServer struct {
	conn    *net.UDPConn
	journal *journal.Writer
	log     *slog.Logger
	memory  memory
}

// NewCoAPServer binds address; port 0 takes a free port outside the ephemeral range. Each stamped
// message is written to records, which may be nil, before it is answered. log may be nil.
func NewCoAPServer(address string, records io.Writer, log *slog.Logger) (*CoAPServer, error) {
	return newCoAPServer(address, journal.NewWriter(records, 0), log)
}

func newCoAPServer(address string, j *journal.Writer, log *slog.Logger) (*CoAPServer, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	conn, err := listenFixed(address, func(address string) (*net.UDPConn, error) {
		a, err := net.ResolveUDPAddr("udp", address)
		if err != nil {
			return nil, err
		}
		return net.ListenUDP("udp", a)
	})
	if err != nil {
		return nil, fmt.Errorf("coap server: %w", err)
	}
	enlarge(conn, socketBuffer)
	return &CoAPServer{conn: conn, journal: j, log: log}, nil
}

// Addr is the address that the server is bound to.
func (s *CoAPServer) Addr() string { return s.conn.LocalAddr().String() }

// Run serves until ctx ends and returns nil then. It returns an error when the journal fails, since
// then nothing could be acknowledged. It must be called once. go-coap's goroutines, one per peer,
// are told to end and do so without being waited for.
func (s *CoAPServer) Run(ctx context.Context) error {
	sweeping, stop := context.WithCancel(context.Background())
	swept := make(chan struct{}) // Serve starts the sweep in any case
	srv := udp.NewServer(
		options.WithRequestMonitor(pong),
		options.WithProcessReceivedMessageFunc(s.process),
		options.WithInactivityMonitor(peerIdle, func(cc *client.Conn) { _ = cc.Close() }),
		options.WithPeriodicRunner(func(f func(now time.Time) bool) {
			go func() {
				defer close(swept)
				every(sweeping, sweep, func(now time.Time) bool {
					s.memory.forget(now)
					return f(now)
				})
			}()
		}),
		options.WithReceivedMessageQueueSize(peerQueue),
		options.WithMessagePool(pool.New(4096, 2048)),
		options.WithBlockwise(false, blockwise.SZX1024, 0),
		options.WithErrors(func(err error) { s.log.Debug("coap", "err", err) }),
	)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(coapnet.NewUDPConn("udp", s.conn)) }()

	var err error
	select {
	case <-ctx.Done():
	case <-s.journal.Failed():
		err = s.journal.Err()
	case err = <-served:
		served <- nil
		if err == nil {
			err = net.ErrClosed
		}
	}
	srv.Stop()
	_ = s.conn.Close() // Stop does not, if Serve has not begun
	if e := <-served; err == nil && e != nil && !errors.Is(e, net.ErrClosed) {
		err = e
	}
	stop()
	<-swept
	if err != nil {
		return fmt.Errorf("coap server: %w", err)
	}
	return nil
}

// every calls f until it returns false or ctx ends.
func every(ctx context.Context, d time.Duration, f func(now time.Time) bool) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			if !f(now) {
				return
			}
		}
	}
}

// pong answers a ping (an empty CON) with RST, RFC 7252 section 4.3. It runs in the goroutine that
// reads the socket.
func pong(cc *client.Conn, r *pool.Message) (drop bool, err error) {
	if r.Type() != message.Confirmable || r.Code() != codes.Empty {
		return false, nil
	}
	rst := cc.AcquireMessage(cc.Context())
	defer cc.ReleaseMessage(rst)
	rst.SetType(message.Reset)
	rst.SetCode(codes.Empty)
	rst.SetMessageID(r.MessageID())
	_ = cc.Session().WriteMessage(rst) // a lost pong is the client's to ask for again
	return true, nil
}

// process is called for one message of a peer at a time, in the peer's own goroutine.
func (s *CoAPServer) process(r *pool.Message, cc *client.Conn, _ config.HandlerFunc[*client.Conn]) {
	cc.ProcessReceivedMessageWithHandler(r, s.respond)
}

// respond answers r; nothing is sent if it leaves w alone.
func (s *CoAPServer) respond(w *responsewriter.ResponseWriter[*client.Conn], r *pool.Message) {
	kind := r.Type()
	if kind != message.Confirmable && kind != message.NonConfirmable {
		return // the server asks nobody anything
	}
	if r.Code() == codes.Empty || r.Code() >= 1<<5 { // a response; requests are of class 0
		if kind == message.Confirmable { // RFC 7252 section 4.2: reject
			s.seal(w, message.Reset, r.MessageID())
		}
		return
	}
	var code codes.Code
	var body io.ReadSeeker
	peer := s.memory.peer(w.Conn().RemoteAddr())
	peer.once(r.MessageID(), kind, func() codes.Code { return s.accept(r) }, &code)
	if code == codes.Content {
		body = strings.NewReader(links)
	}
	if err := w.SetResponse(code, message.AppLinkFormat, body); err != nil {
		// RFC 7967: the client wants no response, but a CON is acknowledged all the same.
		if kind == message.Confirmable {
			s.seal(w, message.Acknowledgement, r.MessageID())
		}
		return
	}
	if kind == message.Confirmable {
		w.Message().SetType(message.Acknowledgement)
		w.Message().SetMessageID(r.MessageID())
	} else { // RFC 7252 section 5.2.3
		w.Message().SetType(message.NonConfirmable)
		w.Message().SetMessageID(w.Conn().GetMessageID())
	}
}

// seal makes w an empty message.
func (s *CoAPServer) seal(w *responsewriter.ResponseWriter[*client.Conn], kind message.Type, id int32) {
	w.Message().SetCode(codes.Empty)
	w.Message().SetToken(nil)
	w.Message().SetType(kind)
	w.Message().SetMessageID(id)
}

// accept carries out the request r, which was not seen before, and returns the response's code.
func (s *CoAPServer) accept(r *pool.Message) codes.Code {
	if r.HasOption(message.Block1) {
		return codes.BadOption
	}
	switch r.Code() {
	case codes.POST, codes.PUT:
		payload, err := r.ReadBody()
		if err != nil {
			return codes.BadRequest
		}
		if err := s.journal.Note(payload); err != nil {
			return codes.ServiceUnavailable
		}
		return codes.Changed
	case codes.GET:
		if path, err := r.Path(); err == nil && path == "/.well-known/core" {
			return codes.Content
		}
		return codes.NotFound
	}
	return codes.MethodNotAllowed
}
