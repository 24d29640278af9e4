package backend

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	coapnet "github.com/plgd-dev/go-coap/v3/net"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
	"github.com/plgd-dev/go-coap/v3/net/responsewriter"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/tcp"
	tcpclient "github.com/plgd-dev/go-coap/v3/tcp/client"

	"github.com/myriad-iot/myriad/sim"
)

// silentStream is how long a client over TCP may say nothing; Pings keep it.
const silentStream = 5 * time.Minute

// streamListener is what go-coap's server accepts from.
type streamListener interface {
	AcceptWithContext(ctx context.Context) (net.Conn, error)
	Addr() net.Addr
	Close() error
}

// listenStream binds a server over TCP (RFC 8323), or over TLS if config is not nil.
func (s *CoAPServer) listenStream(scheme sim.Scheme, address string, config *tls.Config) (coapService, error) {
	l, err := listenFixed(address, func(address string) (streamListener, error) {
		if config != nil {
			return coapnet.NewTLSListener("tcp", address, config)
		}
		return coapnet.NewTCPListener("tcp", address)
	})
	if err != nil {
		return coapService{}, fmt.Errorf("%s server: %w", scheme, err)
	}
	return coapService{scheme, l.Addr().String(), func(ctx context.Context) error {
		srv := tcp.NewServer(
			options.WithHandlerFunc(s.respondStream),
			options.WithOnNewConn(s.open),
			options.WithRequestMonitor(capabilities),
			options.WithDisableTCPSignalMessageCSM(), // go-coap's own says nothing
			options.WithMaxMessageSize(streamMessage),
			options.WithInactivityMonitor(silentStream, func(cc *tcpclient.Conn) { _ = cc.Close() }),
			options.WithPeriodicRunner(s.periodic(ctx)),
			options.WithMessagePool(pool.New(4096, 2048)),
			options.WithBlockwise(false, blockwise.SZX1024, 0),
			options.WithErrors(func(err error) { s.log.Debug(string(scheme), "err", err) }),
		)
		return s.serve(ctx, string(scheme), func() error { return srv.Serve(l) }, func() { srv.Stop(); _ = l.Close() })
	}}, nil
}

// respondStream answers r. TCP repeats nothing, so every request is a new one.
func (s *CoAPServer) respondStream(w *responsewriter.ResponseWriter[*tcpclient.Conn], r *pool.Message) {
	if r.Code() == codes.Empty || r.Code() >= 1<<5 {
		return
	}
	box := postboxOf(w.Conn())
	var code codes.Code
	var body io.ReadSeeker
	if r.Code() != codes.GET {
		code = s.accept(r, box.name, 7)
	} else if code, body = read(r); code == codes.Content && body == nil {
		path, _ := r.Path() // read has seen that there is one
		m := w.Conn().AcquireMessage(r.Context())
		m.SetToken(r.Token())
		if code = s.store.get(m, r, client{name: box.name, box: box}, path); code == 0 {
			w.Conn().ReleaseMessage(m)
			return // the postbox answers
		}
		m.SetCode(code)
		w.SetMessage(m)
		return
	}
	if w.SetResponse(code, message.AppLinkFormat, body) != nil {
		return // RFC 7967: no response is wanted
	}
	if v, err := r.GetOptionUint32(message.Block1); err == nil && r.Code() != codes.GET {
		w.Message().SetOptionUint32(message.Block1, v) // what is acknowledged, or was refused
	}
}
