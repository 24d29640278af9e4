package coap

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
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
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// fileHandler is a handler of go-coap's that has one file, and makes any other path 2.04.
func fileHandler(file *peers.File) mux.HandlerFunc {
	return func(w mux.ResponseWriter, r *mux.Message) {
		if path, _ := r.Path(); path != "/firmware" {
			_ = w.SetResponse(codes.Changed, message.TextPlain, bytes.NewReader(nil))
			return
		}
		_ = w.SetResponse(codes.Content, message.AppOctets, bytes.NewReader(file.Body), message.Option{ID: message.ETag, Value: file.ETag})
	}
}

// stopping ends a server of go-coap's with the test.
func stopping(t *testing.T, serve func() error, stop func()) {
	done := make(chan error, 1)
	go func() { done <- serve() }()
	t.Cleanup(func() { stop(); <-done })
}

// lossyRelay passes datagrams between one client and a server, and loses some of them, each way.
func lossyRelay(t *testing.T, server string, loss float64) (addr string) {
	t.Helper()
	front, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	back, err := net.Dial("udp", server)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	luck := rand.New(rand.NewPCG(5, 6))
	lost := func() bool { mu.Lock(); defer mu.Unlock(); return luck.Float64() < loss }
	var client netip.AddrPort
	var running sync.WaitGroup
	running.Go(func() {
		b := make([]byte, 2048)
		for {
			n, from, err := front.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			mu.Lock()
			client = from
			mu.Unlock()
			if !lost() {
				_, _ = back.Write(b[:n])
			}
		}
	})
	running.Go(func() {
		b := make([]byte, 2048)
		for {
			n, err := back.Read(b)
			if err != nil {
				return
			}
			mu.Lock()
			to := client
			mu.Unlock()
			if !lost() {
				_, _ = front.WriteToUDPAddrPort(b[:n], to)
			}
		}
	})
	t.Cleanup(func() { front.Close(); back.Close(); running.Wait() })
	return front.LocalAddr().String()
}

func openLine(t *testing.T, o sim.Opener, addr string) sim.Requester {
	t.Helper()
	r, facts, outcome := o.Open(t.Context(), &sim.Caller{ID: "dev-9", Key: 9, Ordinal: 9, Endpoint: addr})
	if outcome != sim.OK || facts.Established.Before(facts.Opened) {
		t.Fatalf("open %s: %v", addr, outcome)
	}
	t.Cleanup(func() { r.Close(false) })
	return r
}

func digest(t *testing.T, l sim.Requester, q sim.Request, want []byte) sim.Answer {
	t.Helper()
	sum := sha256.New()
	a, o := l.Request(t.Context(), &q, func(_ *sim.Answer, part []byte) error {
		_, err := sum.Write(part)
		return err
	})
	if is := sha256.Sum256(want); o != sim.OK || !bytes.Equal(sum.Sum(nil), is[:]) {
		t.Fatalf("%v, %+v", o, a)
	}
	return a
}

// A mebibyte from go-coap's server over a link that loses one datagram in twenty, to a device that reports
// meanwhile over a conversation of its own.
func TestFetchFromGoCoAPWhileReporting(t *testing.T) {
	file := &peers.File{Body: noise(1 << 20), ETag: []byte("v1")}
	listener, err := coapnet.NewListenUDP("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := udp.NewServer(options.WithMux(mux.HandlerFunc(fileHandler(file))))
	stopping(t, func() error { return s.Serve(listener) }, func() { s.Stop(); _ = listener.Close() })
	server := listener.LocalAddr().String()
	d := &Dialer{Binding: sim.Binding{CoAP: sim.CoAP{AckTimeout: sim.Duration(25 * time.Millisecond), MaxRetransmit: ptr(8)}}}
	data := dialUDP(t, d, server)
	over, fetched := make(chan sim.Answer), false
	l := openLine(t, d, lossyRelay(t, server, 0.05))
	go func() {
		defer close(over)
		over <- digest(t, l, sim.Request{Path: "/firmware"}, file.Body)
	}()
	reports := uint32(0)
	for !fetched {
		reports++
		publish(t, data, report(reports))
		if ev := data.Wait(time.Now().Add(10 * time.Second)); ev.Kind != sim.EventAcked || ev.Seq != reports {
			t.Fatalf("report %d: %+v", reports, ev)
		}
		select {
		case a, ok := <-over:
			if fetched = true; !ok || a.Attempts < 1060 || a.Size != 1<<20 {
				t.Errorf("%+v", a)
			}
		default:
		}
	}
	if reports < 10 {
		t.Errorf("%d reports meanwhile", reports)
	}
	if a := digest(t, l, sim.Request{Path: "/firmware", Offset: 1_000_000, ETag: fmt.Sprintf("%x", "v1")}, file.Body[1_000_000:]); a.Offset != 1_000_000 {
		t.Errorf("%+v", a)
	}
}

func ptr(n int) *int { return &n }

func TestFetchOverDTLS(t *testing.T) {
	file := &peers.File{Body: noise(200_000), ETag: []byte("v1")}
	listener, err := coapnet.NewDTLSListener("udp", "127.0.0.1:0", coapnet.NewDTLSServerOptions(
		dtls.WithPSK(func(id []byte) ([]byte, error) { return append([]byte("key of "), id...), nil }),
		dtls.WithCipherSuites(suites(true)...)))
	if err != nil {
		t.Fatal(err)
	}
	s := coapdtls.NewServer(options.WithMux(mux.HandlerFunc(fileHandler(file))), options.WithErrors(func(error) {}))
	stopping(t, func() error { return s.Serve(listener) }, s.Stop)
	l := openLine(t, pskDialer(sim.Security{}), listener.Addr().String())
	digest(t, l, sim.Request{Path: "/firmware"}, file.Body)
	digest(t, l, sim.Request{Path: "/firmware", Offset: 77_777}, file.Body[77_777:])
}

// Over TCP a small representation comes in one message, a large one in BERT blocks.
func TestFetchOverTCP(t *testing.T) {
	for _, size := range []int{0, 100, 5000, 300_000} {
		for _, block := range []int{0, 256} {
			file := &peers.File{Body: noise(size), ETag: []byte("v1")}
			listener, err := coapnet.NewTCPListener("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := tcp.NewServer(options.WithMux(mux.HandlerFunc(fileHandler(file))), options.WithErrors(func(error) {}))
			stopping(t, func() error { return s.Serve(listener) }, s.Stop)
			l := openLine(t, &StreamDialer{Binding: sim.Binding{CoAP: sim.CoAP{BlockSize: block}}}, listener.Addr().String())
			a := digest(t, l, sim.Request{Path: "/firmware"}, file.Body)
			if most := size/1024 + 1; block == 0 && a.Attempts > most || block > 0 && a.Attempts < size/256 {
				t.Errorf("%d bytes in blocks of %d took %d messages", size, block, a.Attempts)
			}
			if size > 50_000 {
				digest(t, l, sim.Request{Path: "/firmware", Offset: 50_000}, file.Body[50_000:])
			}
			a, o := l.Request(t.Context(), &sim.Request{Method: "POST", Path: "/other", Body: noise(50_000)}, nil)
			if o != sim.OK || a.Code != 204 {
				t.Errorf("a POST: %v, %+v", o, a)
			}
		}
	}
}

// libcoap's server keeps what is put there, in blocks, and gives it back in blocks; it loses nine
// datagrams of its own, but never its answer to the last block of a PUT: it does not know a request that is sent again
// (RFC 7252, section 4.5) and would take that block for the whole of a second PUT.
func TestFetchFromLibcoap(t *testing.T) {
	const size = 100_000
	addr := libcoap(t, "10,30,50,70,90,115,135,165,200") // the last answer to the PUT is its 103rd datagram or soon after
	for _, name := range []string{"UDP", "TCP"} {
		var o sim.Opener = new(StreamDialer)
		if name == "UDP" {
			o = &Dialer{Binding: sim.Binding{CoAP: sim.CoAP{AckTimeout: sim.Duration(100 * time.Millisecond), MaxRetransmit: ptr(8)}}}
		}
		l := openLine(t, o, addr)
		a, outcome := l.Request(t.Context(), &sim.Request{Method: "PUT", Path: "/example_data", ContentType: "application/octet-stream", Body: noise(size)}, nil)
		if outcome != sim.OK || a.Status != sim.OK {
			t.Fatalf("%s: PUT: %v, %+v", name, outcome, a)
		}
		a = digest(t, l, sim.Request{Path: "/example_data"}, noise(size))
		if a.ETag == "" || a.Size != size {
			t.Errorf("%s: %+v", name, a)
		}
		for _, offset := range []int64{1024, 50_001, size - 1} {
			if b := digest(t, l, sim.Request{Path: "/example_data", Offset: offset, ETag: a.ETag}, noise(size)[offset:]); b.Offset != offset {
				t.Errorf("%s: %+v", name, b)
			}
		}
		if a, o := l.Request(t.Context(), &sim.Request{Path: "/nowhere"}, nil); o != sim.OK || a.Code != 404 {
			t.Errorf("%s: nowhere: %v, %+v", name, o, a)
		}
		if a, o := l.Request(t.Context(), &sim.Request{Path: "/async?1"}, nil); o != sim.OK || a.Code != 205 { // by itself, a second later
			t.Errorf("%s: async: %v, %+v", name, o, a)
		}
	}
}
