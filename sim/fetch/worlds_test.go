package fetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"io"
	"log"
	"math/rand/v2"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	coapdtls "github.com/plgd-dev/go-coap/v3/dtls"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/mux"
	coapnet "github.com/plgd-dev/go-coap/v3/net"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/tcp"
	"github.com/plgd-dev/go-coap/v3/udp"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/http"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/link"
)

// noise is n bytes that follow from n.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}).Read(b)
	return b
}

// store is what all servers have: /file, which may be replaced; /busy; /silent, which never answers; and
// nothing else.
type store struct{ file atomic.Pointer[[]byte] }

func newStore(file []byte) *store {
	s := new(store)
	s.file.Store(&file)
	return s
}

// tag follows from the file.
func tag(file []byte) []byte {
	sum := sha256.Sum256(file)
	return sum[:4]
}

// ServeHTTP implements net/http's Handler.
func (s *store) ServeHTTP(w nethttp.ResponseWriter, r *nethttp.Request) {
	file := *s.file.Load()
	switch r.URL.Path {
	case "/file":
		if r.Method == nethttp.MethodPost {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Location", "/file/1")
			w.WriteHeader(nethttp.StatusCreated)
			_, _ = w.Write(tag(body))
			return
		}
		w.Header().Set("ETag", `"`+hex.EncodeToString(tag(file))+`"`)
		w.Header().Set("Content-Type", "application/octet-stream")
		nethttp.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file))
	case "/busy":
		w.Header().Set("Retry-After", "7")
		nethttp.Error(w, "busy", nethttp.StatusServiceUnavailable)
	case "/silent":
		<-r.Context().Done()
	default:
		nethttp.NotFound(w, r)
	}
}

// ServeCOAP implements go-coap's mux.Handler.
func (s *store) ServeCOAP(w mux.ResponseWriter, r *mux.Message) {
	file := *s.file.Load()
	path, _ := r.Path()
	etag := message.Option{ID: message.ETag, Value: tag(file)}
	switch {
	case path == "/file" && r.Code() == codes.POST:
		body, _ := r.ReadBody()
		_ = w.SetResponse(codes.Created, message.AppOctets, bytes.NewReader(tag(body)),
			message.Option{ID: message.LocationPath, Value: []byte("file")}, message.Option{ID: message.LocationPath, Value: []byte("1")})
	case path == "/file":
		if has, err := r.Options().GetBytes(message.ETag); err == nil && bytes.Equal(has, etag.Value) {
			_ = w.SetResponse(codes.Valid, message.AppOctets, nil, etag)
			return
		}
		_ = w.SetResponse(codes.Content, message.AppOctets, bytes.NewReader(file), etag)
	case path == "/busy":
		_ = w.SetResponse(codes.ServiceUnavailable, message.TextPlain, bytes.NewReader([]byte("busy")), message.Option{ID: message.MaxAge, Value: []byte{7}})
	case path == "/silent":
		// go-coap acknowledges, and says no more
	default:
		_ = w.SetResponse(codes.NotFound, message.TextPlain, bytes.NewReader([]byte("not found")))
	}
}

// world is a channel over a transport, with a server of somebody else's.
type world struct {
	name  string
	http  bool
	serve func(t *testing.T, s *store) (sim.Opener, string)
}

func worlds() []world {
	overHTTP := func(transport sim.Transport) func(t *testing.T, s *store) (sim.Opener, string) {
		return func(t *testing.T, s *store) (sim.Opener, string) {
			a := &identity.Authority{Seed: 9}
			b := sim.Binding{Channel: sim.ChannelHTTP, Transport: transport, Security: sim.Security{Credential: sim.CredentialCertificate}}
			d := must(link.New(&b, a))(t)
			server := httptest.NewUnstartedServer(s)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			if transport == sim.TransportTLS {
				server.TLS = &tls.Config{Certificates: []tls.Certificate{*must(a.Server())(t)}, ClientAuth: tls.RequireAndVerifyClientCert,
					ClientCAs: must(a.Pool())(t)}
				server.StartTLS()
			} else {
				server.Start()
			}
			t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
			return &http.Opener{Binding: b, DialConn: d.Dial}, server.Listener.Addr().String()
		}
	}
	quick := sim.CoAP{AckTimeout: sim.Duration(200 * time.Millisecond)}
	return []world{
		{"http", true, overHTTP(sim.TransportPlain)},
		{"https", true, overHTTP(sim.TransportTLS)},
		{"coap", false, func(t *testing.T, s *store) (sim.Opener, string) {
			l := must(coapnet.NewListenUDP("udp", "127.0.0.1:0"))(t)
			server := udp.NewServer(options.WithMux(s))
			serving(t, func() error { return server.Serve(l) }, func() { server.Stop(); _ = l.Close() })
			d := must(link.New(&sim.Binding{Channel: sim.ChannelCoAP}, nil))(t)
			return &coap.Dialer{Binding: sim.Binding{CoAP: quick}, DialUDP: d.DialUDP}, l.LocalAddr().String()
		}},
		{"coaps", false, func(t *testing.T, s *store) (sim.Opener, string) {
			a := &identity.Authority{Seed: 9}
			l := must(coapnet.NewDTLSListener("udp", "127.0.0.1:0", coapnet.NewDTLSServerOptions(
				dtls.WithCertificates(*must(a.Server())(t)), dtls.WithClientCAs(must(a.Pool())(t)),
				dtls.WithClientAuth(dtls.RequireAndVerifyClientCert))))(t)
			server := coapdtls.NewServer(options.WithMux(s), options.WithErrors(func(error) {}))
			serving(t, func() error { return server.Serve(l) }, server.Stop)
			b := sim.Binding{Channel: sim.ChannelCoAP, Transport: sim.TransportDTLS, CoAP: quick,
				Security: sim.Security{Credential: sim.CredentialCertificate}, ConnectTimeout: sim.Duration(time.Minute)}
			return &coap.Dialer{Binding: b, DialUDP: must(link.New(&b, a))(t).DialUDP, Secure: &coap.DTLS{Roots: must(a.Pool())(t),
				Certificate: func(c *sim.Caller) (*tls.Certificate, error) { return a.Device(c.Fleet, c.Ordinal, c.ID) }}}, l.Addr().String()
		}},
		{"coap+tcp", false, func(t *testing.T, s *store) (sim.Opener, string) {
			l := must(coapnet.NewTCPListener("tcp", "127.0.0.1:0"))(t)
			server := tcp.NewServer(options.WithMux(s), options.WithErrors(func(error) {}))
			serving(t, func() error { return server.Serve(l) }, server.Stop)
			b := sim.Binding{Channel: sim.ChannelCoAP, Transport: sim.TransportTCP, CoAP: quick}
			return &coap.StreamDialer{Binding: b, DialTCP: must(link.New(&b, nil))(t).Dial, Outcome: link.Outcome}, l.Addr().String()
		}},
	}
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func serving(t *testing.T, serve func() error, stop func()) {
	done := make(chan error, 1)
	go func() { done <- serve() }()
	t.Cleanup(func() { stop(); <-done })
}

// calling gives a download lines of an opener's, each closed before the next.
func calling(t *testing.T, o sim.Opener, endpoint string) func(context.Context) (sim.Requester, sim.Outcome) {
	var last sim.Requester
	attempt := 0
	t.Cleanup(func() {
		if last != nil {
			last.Close(false)
		}
	})
	return func(ctx context.Context) (sim.Requester, sim.Outcome) {
		if last != nil {
			last.Close(false)
		}
		r, _, outcome := o.Open(ctx, &sim.Caller{ID: "plc-5", Ordinal: 5, Key: 5, Endpoint: endpoint, Attempt: attempt})
		attempt++
		last = r
		return r, outcome
	}
}

// relay passes TCP connections on to a server, and cuts each after as many bytes from the server as cuts says;
// those that it says nothing of are not cut.
func relay(t *testing.T, server string, cuts ...int64) (addr string) {
	t.Helper()
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", server)
			if err != nil {
				_ = near.Close()
				continue
			}
			go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
			go func() {
				if n < len(cuts) {
					_, _ = io.CopyN(near, far, cuts[n])
				} else {
					_, _ = io.Copy(near, far)
				}
				_ = near.Close()
				_ = far.Close()
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}
