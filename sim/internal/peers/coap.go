package peers

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	coapdtls "github.com/plgd-dev/go-coap/v3/dtls"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	coapnet "github.com/plgd-dev/go-coap/v3/net"
	"github.com/plgd-dev/go-coap/v3/net/responsewriter"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/tcp"
	tcpclient "github.com/plgd-dev/go-coap/v3/tcp/client"
	"github.com/plgd-dev/go-coap/v3/udp"
	udpclient "github.com/plgd-dev/go-coap/v3/udp/client"
)

// CoAP runs go-coap's server over UDP and returns its address. It answers every request with 2.04.
func CoAP(t testing.TB) string {
	t.Helper()
	l, err := coapnet.NewListenUDP("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := udp.NewServer(options.WithHandlerFunc(changed[*udpclient.Conn]))
	serve(t, func() error { return s.Serve(l) }, func() { s.Stop(); _ = l.Close() })
	return l.LocalAddr().String()
}

// CoAPTCP is CoAP over TCP (RFC 8323).
func CoAPTCP(t testing.TB) string {
	t.Helper()
	l, err := coapnet.NewTCPListener("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := tcp.NewServer(options.WithHandlerFunc(changed[*tcpclient.Conn]), options.WithErrors(func(error) {}))
	serve(t, func() error { return s.Serve(l) }, s.Stop)
	return l.Addr().String()
}

// CoAPDTLS is CoAP over DTLS 1.2, pion's, and counts the handshakes that it made.
func CoAPDTLS(t testing.TB, opts ...dtls.ServerOption) (addr string, handshakes *atomic.Int64) {
	t.Helper()
	l, err := coapnet.NewDTLSListener("udp", "127.0.0.1:0", coapnet.NewDTLSServerOptions(opts...))
	if err != nil {
		t.Fatal(err)
	}
	handshakes = new(atomic.Int64)
	s := coapdtls.NewServer(
		options.WithHandlerFunc(changed[*udpclient.Conn]),
		options.WithOnNewConn(func(*udpclient.Conn) { handshakes.Add(1) }),
		options.WithErrors(func(error) {}),
		// By default who says nothing for 16 s is hung up on, and on a busy machine a test may stand still for longer.
		options.WithInactivityMonitor(time.Hour, func(c *udpclient.Conn) { _ = c.Close() }),
	)
	serve(t, func() error { return s.Serve(l) }, s.Stop)
	return l.Addr().String(), handshakes
}

func changed[C responsewriter.Client](w *responsewriter.ResponseWriter[C], r *pool.Message) {
	if r.Code() >= 1<<5 || r.Type() == message.Reset {
		return // no request
	}
	_ = w.SetResponse(codes.Changed, message.TextPlain, bytes.NewReader(nil)) // an error is that no response is wanted
}

func serve(t testing.TB, run func() error, stop func()) {
	done := make(chan error, 1)
	go func() { done <- run() }()
	t.Cleanup(func() {
		stop()
		<-done
	})
}
