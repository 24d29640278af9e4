package coap

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// sessionCache is a server's memory of sessions.
type sessionCache struct{ sync.Map }

func (s *sessionCache) Set(k []byte, v dtls.Session) error { s.Store(string(k), v); return nil }
func (s *sessionCache) Del(k []byte) error                 { s.Delete(string(k)); return nil }
func (s *sessionCache) Get(k []byte) (dtls.Session, error) {
	v, _ := s.Load(string(k))
	session, _ := v.(dtls.Session)
	return session, nil
}

func pskServer(t testing.TB, opts ...dtls.ServerOption) (string, *atomic.Int64) {
	return peers.CoAPDTLS(t, append([]dtls.ServerOption{
		dtls.WithPSK(func(id []byte) ([]byte, error) { return append([]byte("key of "), id...), nil }),
		dtls.WithCipherSuites(suites(true)...),
	}, opts...)...)
}

func withCID() dtls.ServerOption { return dtls.WithConnectionIDGenerator(dtls.RandomCIDGenerator(8)) }

func pskDialer(s sim.Security) *Dialer {
	s.Credential = sim.CredentialPSK
	return &Dialer{
		Binding: sim.Binding{Security: s, ConnectTimeout: sim.Duration(time.Minute), // a handshake takes long on a busy machine
			CoAP: sim.CoAP{AckTimeout: sim.Duration(400 * time.Millisecond), RandomFactor: 1}},
		Secure: &DTLS{PSK: func(c *sim.Caller) ([]byte, []byte) {
			return []byte(c.ID), append([]byte("key of "), c.ID...)
		}},
	}
}

func dialDTLS(t testing.TB, d *Dialer, addr string, i int) (*Conversation, sim.Facts) {
	t.Helper()
	conv, facts, o := d.Dial(t.Context(), &sim.Caller{
		ID: "dev-" + strconv.Itoa(i), Ordinal: sim.Ordinal(i), Key: uint64(i), Endpoint: addr,
	})
	if o != sim.OK {
		t.Fatalf("dial: %v", o)
	}
	t.Cleanup(func() { conv.Close(false) })
	return conv.(*Conversation), facts
}

// reported publishes message seq and reports how it ended, the conversation's end included.
func reported(t testing.TB, c *Conversation, seq uint32) sim.Event {
	t.Helper()
	if o := c.Publish(report(seq)); o != sim.OK {
		t.Fatalf("publish %d: %v", seq, o)
	}
	return *c.Wait(time.Now().Add(30 * time.Second))
}

func TestDTLSWithEverySuite(t *testing.T) {
	authority := &identity.Authority{Seed: 7}
	own, err := authority.Server()
	if err != nil {
		t.Fatal(err)
	}
	roots, err := authority.Pool()
	if err != nil {
		t.Fatal(err)
	}
	for _, psk := range []bool{true, false} {
		for _, suite := range suites(psk) {
			if suite == dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 {
				continue // the run's own certificates are ECDSA
			}
			for _, cid := range []bool{false, true} {
				t.Run(suite.String()+" CID "+strconv.FormatBool(cid), func(t *testing.T) {
					d := pskDialer(sim.Security{CID: cid})
					opts := []dtls.ServerOption{dtls.WithCipherSuites(suite)}
					if cid {
						opts = append(opts, withCID())
					}
					var addr string
					if psk {
						addr, _ = pskServer(t, opts...)
					} else {
						d.Binding.Security.Credential = sim.CredentialCertificate
						d.Secure.Roots = roots
						d.Secure.Certificate = func(c *sim.Caller) (*tls.Certificate, error) {
							return authority.Device(c.Fleet, c.Ordinal, c.ID)
						}
						addr, _ = peers.CoAPDTLS(t, append(opts, dtls.WithCertificates(*own), dtls.WithClientCAs(roots),
							dtls.WithClientAuth(dtls.RequireAndVerifyClientCert))...)
					}
					c, facts := dialDTLS(t, d, addr, 3)
					if facts.Secured.Before(facts.Opened) || facts.Established.Before(facts.Secured) || facts.Resumed {
						t.Errorf("facts: %+v", facts)
					}
					if got := c.in.secured.cid != nil; got != cid {
						t.Errorf("a Connection ID: %v", got)
					}
					for seq := range uint32(100) { // more than the replay window
						if ev := reported(t, c, seq); ev.Kind != sim.EventAcked || ev.Seq != seq {
							t.Fatalf("event = %+v", ev)
						}
					}
				})
			}
		}
	}
}

func TestDTLSResumes(t *testing.T) {
	addr, handshakes := pskServer(t, dtls.WithSessionStore(new(sessionCache)))
	d := pskDialer(sim.Security{Resume: true})
	for n, want := range []bool{false, true, true} {
		c, facts := dialDTLS(t, d, addr, 1)
		if facts.Resumed != want {
			t.Errorf("dial %d: resumed is %v", n, facts.Resumed)
		}
		if ev := reported(t, c, 1); ev.Kind != sim.EventAcked {
			t.Errorf("dial %d: %+v", n, ev)
		}
		if c.in.secured.flight != nil {
			t.Error("the flight is kept although the peer has answered")
		}
		c.Close(false)
	}
	if _, facts := dialDTLS(t, d, addr, 2); facts.Resumed {
		t.Error("another device resumed the session")
	}
	if n := handshakes.Load(); n != 4 {
		t.Errorf("%d handshakes", n)
	}
}

// crowd is the devices of a test that all do the same, a few at a time: who waits for the processor is not
// taken for one that is not answered.
type crowd []*Conversation

func (list crowd) each(f func(i int)) {
	var wg sync.WaitGroup
	turns := make(chan struct{}, 4)
	for i := range list {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			f(i)
		})
	}
	wg.Wait()
}

// dial opens a conversation for each.
func (list crowd) dial(t *testing.T, d *Dialer, addr string) {
	t.Helper()
	list.each(func(i int) {
		id := strconv.Itoa(i)
		c, _, o := d.Dial(t.Context(), &sim.Caller{ID: "dev-" + id, Ordinal: sim.Ordinal(i), Key: uint64(i), Endpoint: addr})
		if o != sim.OK {
			t.Errorf("dial %d: %v", i, o)
			return
		}
		list[i] = c.(*Conversation)
	})
	if t.Failed() {
		t.FailNow()
	}
}

// report sends message seq of each, all of which end as want says.
func (list crowd) report(t *testing.T, seq uint32, want sim.EventKind) {
	t.Helper()
	list.each(func(i int) {
		if o := list[i].Publish(report(seq)); o != sim.OK {
			t.Errorf("publish %d: %v", seq, o)
		}
		if ev := list[i].Wait(time.Now().Add(time.Minute)); ev.Kind != want || ev.Seq != seq {
			t.Errorf("message %d of %d: %+v", seq, i, ev)
		}
	})
}

// With a Connection ID no device makes a handshake after its address changed; without one each makes
// exactly one, after the silence has ended its conversation. Only for what nobody answers is the wait short.
func TestDTLSRebinding(t *testing.T) {
	const devices = 20
	one := 1
	short := newTiming(&sim.CoAP{AckTimeout: sim.Duration(50 * time.Millisecond), RandomFactor: 1, MaxRetransmit: &one})
	for _, cid := range []bool{true, false} {
		t.Run("CID "+strconv.FormatBool(cid), func(t *testing.T) {
			d := pskDialer(sim.Security{CID: cid})
			addr, handshakes := pskServer(t, withCID())
			list := make(crowd, devices)
			list.dial(t, d, addr)
			long := d.timing
			list.report(t, 0, sim.EventAcked)
			list.each(func(i int) {
				before := list[i].in.secured.LocalAddr().String()
				if o := list[i].Rebind(netip.AddrPort{}); o != sim.OK {
					t.Errorf("rebind: %v", o)
				}
				if list[i].in.secured.LocalAddr().String() == before {
					t.Error("the address is the same")
				}
			})
			want := int64(devices)
			if !cid {
				d.timing = short
				list.report(t, 1, sim.EventFailed)
				list.each(func(i int) {
					if ev := list[i].Wait(time.Now().Add(time.Minute)); ev.Kind != sim.EventDown || ev.Outcome != sim.CoAPTimeout {
						t.Errorf("after the silence: %+v", ev)
					}
					list[i].Close(true)
				})
				d.timing = long
				list.dial(t, d, addr)
				want += devices
			}
			for seq := uint32(1); seq <= 3; seq++ {
				list.report(t, seq, sim.EventAcked)
			}
			list.each(func(i int) { list[i].Close(false) })
			if n := handshakes.Load(); n != want {
				t.Errorf("%d handshakes, want %d", n, want)
			}
		})
	}
}

func TestUDPRebinding(t *testing.T) {
	addr, seen := goCoAPServer(t)
	c := dialUDP(t, new(Dialer), addr)
	for seq := range uint32(3) {
		if ev := reported(t, c, seq); ev.Kind != sim.EventAcked || ev.Attempts != 1 {
			t.Errorf("event = %+v", ev)
		}
		source := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + seq)}), 0)
		if o := c.Rebind(source); o != sim.OK || c.conn.LocalAddr().(*net.UDPAddr).IP.String() != source.Addr().String() {
			t.Errorf("rebind: %v, from %v", o, c.conn.LocalAddr())
		}
	}
	if len(seen()) != 3 {
		t.Errorf("the server saw %d", len(seen()))
	}
	if o := c.Rebind(netip.MustParseAddrPort("192.0.2.1:1")); o != sim.LocalPorts {
		t.Errorf("an address that is not ours: %v", o)
	}
	if ev := c.Wait(time.Time{}); ev.Kind != sim.EventDown || ev.Outcome != sim.LocalPorts {
		t.Errorf("event = %+v", ev)
	}
}

func TestDTLSPeersThatRefuse(t *testing.T) {
	strange, err := (&identity.Authority{Seed: 8}).Server()
	if err != nil {
		t.Fatal(err)
	}
	roots, err := (&identity.Authority{Seed: 7}).Pool()
	if err != nil {
		t.Fatal(err)
	}
	silent := udpScript(t, func([]byte) []byte { return nil })
	garbage := udpScript(t, func(b []byte) []byte { return bytes.Repeat([]byte{0xee}, len(b)) })
	fatal := udpScript(t, func([]byte) []byte { return []byte{21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40} })
	bad, _ := peers.CoAPDTLS(t, dtls.WithCertificates(*strange))
	wrong, _ := peers.CoAPDTLS(t, dtls.WithPSK(func([]byte) ([]byte, error) { return []byte("another"), nil }),
		dtls.WithCipherSuites(suites(true)...))
	for name, tt := range map[string]struct {
		addr       string
		credential sim.Credential
		within     time.Duration // long, where the peer has an answer
		want       []sim.Outcome
	}{
		"silence":           {silent, sim.CredentialPSK, time.Second, []sim.Outcome{sim.TLSTimeout}},
		"garbage":           {garbage, sim.CredentialPSK, time.Second, []sim.Outcome{sim.TLSTimeout}},
		"fatal alert":       {fatal, sim.CredentialPSK, time.Minute, []sim.Outcome{sim.TLSFailure}},
		"nobody":            {"127.0.0.1:9", sim.CredentialPSK, 2 * time.Second, []sim.Outcome{sim.CoAPUnreachable}},
		"another authority": {bad, sim.CredentialNone, time.Minute, []sim.Outcome{sim.TLSBadPeer}},
		"a key it does not have": {wrong, sim.CredentialPSK, time.Second,
			[]sim.Outcome{sim.TLSTimeout, sim.TLSRefused, sim.TLSFailure}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := pskDialer(sim.Security{})
			d.Binding.Security.Credential = tt.credential
			d.Binding.ConnectTimeout = sim.Duration(tt.within)
			d.Secure.Roots = roots
			c, _, o := d.Dial(t.Context(), &sim.Caller{ID: "x", Endpoint: tt.addr})
			if c != nil {
				t.Error("a conversation")
			}
			for _, want := range tt.want {
				if o == want {
					return
				}
			}
			t.Errorf("%v, want %v", o, tt.want)
		})
	}
}

// udpScript answers every datagram.
func udpScript(t *testing.T, answer func([]byte) []byte) string {
	t.Helper()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 2048)
		for {
			n, from, err := l.ReadFrom(b)
			if err != nil {
				return
			}
			if a := answer(b[:n]); a != nil {
				_, _ = l.WriteTo(a, from)
			}
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.LocalAddr().String()
}

// Debian's libcoap as the server, over OpenSSL and GnuTLS. Neither build has Connection IDs.
func TestDTLSAgainstLibcoap(t *testing.T) {
	for _, program := range []string{"coap-server-openssl", "coap-server-gnutls"} {
		t.Run(program, func(t *testing.T) {
			_, secure := peers.Libcoap(t, []string{program}, []string{"-k", "key of dev-1", "-h", "hint"})
			c, _ := dialDTLS(t, pskDialer(sim.Security{CID: true}), secure, 1)
			for seq := range uint32(20) {
				if ev := reported(t, c, seq); ev.Kind != sim.EventAcked {
					t.Fatalf("event = %+v", ev)
				}
			}
			if c.in.secured.cid != nil {
				t.Error("a Connection ID that was not granted")
			}
		})
	}
}
