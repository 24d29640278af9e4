package backend

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"
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
	udpclient "github.com/plgd-dev/go-coap/v3/udp/client"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/myriad-iot/myriad/sim/journal"
)

const (
	// peerIdle is how long go-coap keeps what it holds of a silent peer.
	peerIdle = time.Minute
	// sweep is how often it, and the memory, look for silent peers. They visit all of them, and what each
	// sent in the last minutes: with 10,000 over DTLS that takes a core for a third of a second.
	sweep = 30 * time.Second
	// peerQueue is how many datagrams of one peer may wait. NSTART is 1 for a client with the defaults of RFC 7252.
	peerQueue = 4
	// socketBuffer absorbs a whole fleet that reports at once; the kernel may grant less.
	socketBuffer = 8 << 20

	links = `</>;if="telemetry";ct="0 50 60 110 112"` // RFC 6690
)

// CoAPServer is a CoAP server (RFC 7252 over UDP or DTLS, RFC 8323 over TCP or TLS) that accepts telemetry:
// POST, PUT, FETCH, PATCH and iPATCH on any path are answered 2.04, GET /.well-known/core tells so. What is
// PUT can be read, in blocks where it is long (RFC 7959), and observed (RFC 7641), over whichever transport:
// any path can be, also one that nothing was put to yet. Payloads may come in blocks and count once, when
// they are whole.
//
// go-coap reads and decodes the messages, separates the peers and sends the answers. Its handling of
// message types is not used: it answers a ping with an ACK and a NON with a CON, and it remembers its answer
// to a NON under the message id of the answer, so that a repeated NON counts twice and some later request
// with that id is lost. A retransmission is answered again and recorded once; see memory.
type CoAPServer struct {
	conn    *net.UDPConn
	at      Datagrams // instead of conn, on a network in memory
	journal *journal.Writer
	log     *slog.Logger
	memory  memory
	store   *store // which the servers of other transports share
	blocks  transfers

	// peer is the name of the client on a connection, and send sends a message to it: see client.
	peer func(cc *udpclient.Conn) string
	send func(cc *udpclient.Conn) func(m *pool.Message)
}

// NewCoAPServer binds address; port 0 takes a free port outside the ephemeral range. Each stamped
// message is written to records, which may be nil, before it is answered. log may be nil.
func NewCoAPServer(address string, records io.Writer, log *slog.Logger) (*CoAPServer, error) {
	return newCoAPServer(address, journal.NewWriter(records, 0), log, new(store))
}

// roomy makes UDP sockets with large receive buffers, for what arrives while the server sweeps, collects
// garbage or waits for a CPU.
func roomy() net.ListenConfig {
	return net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { enlarge(fd, socketBuffer) })
	}}
}

func newCoAPServer(address string, j *journal.Writer, log *slog.Logger, held *store) (*CoAPServer, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	listen := roomy()
	conn, err := listenFixed(address, func(address string) (net.PacketConn, error) {
		return listen.ListenPacket(context.Background(), "udp", address)
	})
	if err != nil {
		return nil, fmt.Errorf("coap server: %w", err)
	}
	s := &CoAPServer{conn: conn.(*net.UDPConn), journal: j, log: log, store: held}
	s.peer = func(cc *udpclient.Conn) string { return cc.RemoteAddr().String() }
	s.send = func(cc *udpclient.Conn) func(m *pool.Message) {
		to := cc.RemoteAddr() // and not go-coap's connection, which ends when a peer is silent for a minute
		return func(m *pool.Message) {
			if datagram, err := m.MarshalWithEncoder(coder.DefaultCoder); err == nil { // it always fits
				_, _ = conn.WriteTo(datagram, to) // lost: it is repeated
			}
		}
	}
	return s, nil
}

// Addr is the address that the server is bound to.
func (s *CoAPServer) Addr() string { return s.conn.LocalAddr().String() }

// Run serves until ctx ends and returns nil then. It returns an error when the journal fails, since
// then nothing could be acknowledged. It must be called once. go-coap's goroutines, one per peer,
// are told to end and do so without being waited for.
func (s *CoAPServer) Run(ctx context.Context) error {
	if s.at != nil {
		return s.runAt(ctx)
	}
	return s.tended(func(periodic func(func(time.Time) bool)) error {
		srv := udp.NewServer(
			options.WithRequestMonitor(pong),
			options.WithProcessReceivedMessageFunc(s.process),
			options.WithInactivityMonitor(peerIdle, func(cc *udpclient.Conn) { _ = cc.Close() }),
			options.WithPeriodicRunner(periodic),
			options.WithReceivedMessageQueueSize(peerQueue),
			options.WithMessagePool(pool.New(4096, 2048)),
			options.WithBlockwise(false, blockwise.SZX1024, 0),
			options.WithErrors(func(err error) { s.log.Debug("coap", "err", err) }),
		)
		return s.serve(ctx, "coap", func() error { return srv.Serve(coapnet.NewUDPConn("udp", s.conn)) }, func() {
			srv.Stop()
			_ = s.conn.Close() // Stop does not, if Serve has not begun
		})
	})
}

// tended calls serve, and meanwhile repeats notifications and forgets silent peers. periodic is go-coap's runner, which
// serve has to run in any case.
func (s *CoAPServer) tended(serve func(periodic func(func(now time.Time) bool)) error) error {
	tending, stop := context.WithCancel(context.Background())
	swept, repeated := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(repeated)
		every(tending, notifyTick, func(now time.Time) bool {
			if s.at != nil {
				s.at.Running()
			}
			s.store.repeat(now)
			return true
		})
	}()
	err := serve(func(f func(now time.Time) bool) {
		go func() {
			defer close(swept)
			every(tending, sweep, func(now time.Time) bool {
				s.memory.forget(now)
				s.blocks.forget(now)
				return f(now)
			})
		}()
	})
	stop()
	<-swept
	<-repeated
	return err
}

// every calls f every d until f returns false or ctx ends.
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
func pong(cc *udpclient.Conn, r *pool.Message) (drop bool, err error) {
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
func (s *CoAPServer) process(r *pool.Message, cc *udpclient.Conn, _ config.HandlerFunc[*udpclient.Conn]) {
	cc.ProcessReceivedMessageWithHandler(r, s.respond)
}

// respond answers r; nothing is sent if it leaves w alone.
func (s *CoAPServer) respond(w *responsewriter.ResponseWriter[*udpclient.Conn], r *pool.Message) {
	kind := r.Type()
	if kind != message.Confirmable && kind != message.NonConfirmable {
		s.store.answered(s.peer(w.Conn()), r.MessageID(), kind == message.Reset)
		return
	}
	if r.Code() == codes.Empty || r.Code() >= 1<<5 { // a response; requests are of class 0
		if kind == message.Confirmable { // RFC 7252 section 4.2: reject
			s.seal(w, message.Reset, r.MessageID())
		}
		return
	}
	code, body := s.handle(w, r)
	if err := w.SetResponse(code, message.AppLinkFormat, body); err != nil {
		// RFC 7967: the client wants no response, but a CON is acknowledged all the same.
		if kind == message.Confirmable {
			s.seal(w, message.Acknowledgement, r.MessageID())
		}
		return
	}
	if v, err := r.GetOptionUint32(message.Block1); err == nil && r.Code() != codes.GET {
		w.Message().SetOptionUint32(message.Block1, v) // what is acknowledged, or was refused
	}
	if r.Code() == codes.GET && body == nil {
		if path, err := r.Path(); err == nil {
			w.Message().SetCode(s.store.get(w.Message(), r, client{name: s.peer(w.Conn()), send: s.send(w.Conn())}, path))
		}
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
func (s *CoAPServer) seal(w *responsewriter.ResponseWriter[*udpclient.Conn], kind message.Type, id int32) {
	w.Message().SetCode(codes.Empty)
	w.Message().SetToken(nil)
	w.Message().SetType(kind)
	w.Message().SetMessageID(id)
}

// handle carries out r, unless it is a copy, and returns the response's code and what discovery says.
// A GET is answered from the store by the caller.
func (s *CoAPServer) handle(w *responsewriter.ResponseWriter[*udpclient.Conn], r *pool.Message) (code codes.Code, body io.ReadSeeker) {
	if r.Code() == codes.GET {
		return read(r)
	}
	from := s.peer(w.Conn())
	s.memory.peer(from).once(r.MessageID(), r.Type(), func() codes.Code { return s.accept(r, from, 6) }, &code)
	return code, nil
}

// read is the answer to a GET, except for what the store has at its path.
func read(r *pool.Message) (code codes.Code, body io.ReadSeeker) {
	path, err := r.Path()
	switch {
	case err == nil && path == "/.well-known/core":
		return codes.Content, strings.NewReader(links)
	case err != nil: // the root
		return codes.NotFound, nil
	}
	return codes.Content, nil
}

// accept carries out the request r, which was not seen before, and returns the response's code. Blocks are
// of szx at most.
func (s *CoAPServer) accept(r *pool.Message, peer string, szx uint32) codes.Code {
	switch r.Code() {
	case codes.POST, codes.PUT, codeFETCH, codePATCH, codeIPATCH:
	default:
		return codes.MethodNotAllowed
	}
	payload, err := r.ReadBody()
	if err != nil {
		return codes.BadRequest
	}
	path, _ := r.Path() // an error is the root
	if v, err := r.GetOptionUint32(message.Block1); err == nil {
		var code codes.Code
		if payload, code = s.blocks.add(r, peer, path, v, szx, payload); code != 0 {
			return code
		}
	}
	if err := s.journal.Note(payload); err != nil {
		return codes.ServiceUnavailable
	}
	if r.Code() == codes.PUT {
		format, err := r.ContentFormat()
		if err != nil {
			format = message.AppOctets
		}
		return s.store.put(path, payload, format)
	}
	return codes.Changed
}

// Methods of RFC 8132, which the codec does not name.
const (
	codeFETCH  codes.Code = 5
	codePATCH  codes.Code = 6
	codeIPATCH codes.Code = 7
)
