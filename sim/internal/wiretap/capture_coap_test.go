package wiretap_test

import (
	"encoding/hex"
	"net"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/plgd-dev/go-coap/v3/message"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/internal/peers"
	"github.com/myriad-iot/myriad/sim/internal/wiretap"
)

const reports = 6 // of a device

// report sends what a device reports; one report may be with QoS 0.
func report(t *testing.T, d sim.Dialer, addr string, unconfirmed bool) {
	t.Helper()
	c, _, o := d.Dial(t.Context(), &sim.Caller{ID: "dev-1", Key: 7, Endpoint: addr})
	if o != sim.OK {
		t.Fatal(o)
	}
	defer c.Close(false)
	for seq := range uint32(reports) {
		m := &sim.Message{Seq: seq, Topic: "t/dev-1", Payload: []byte(`{"v":1}`), QoS: 1}
		if unconfirmed && seq == 1 {
			m.QoS = 0
		}
		if o := c.Publish(m); o != sim.OK {
			t.Fatal(o)
		}
		if m.QoS == 0 {
			continue
		}
		if e := c.Wait(time.Now().Add(patience)); e.Kind != sim.EventAcked || e.Seq != seq {
			t.Fatalf("event %+v", e)
		}
	}
}

// wantReports checks what tshark understood of them. Over UDP there may be repetitions.
func wantReports(t *testing.T, tap *wiretap.Tap, want map[string]int, args ...string) (types, records map[string]int) {
	t.Helper()
	all := tap.Count([]string{"coap.code", "coap.opt.uri_path", "coap.type", "dtls.record.special_type"}, args...)
	if path := all["coap.opt.uri_path"]; path["t"] == 0 || path["dev-1"] == 0 {
		t.Errorf("tshark found these paths: %v", path)
	}
	found := all["coap.code"]
	for code, n := range want {
		if found[code] < n {
			t.Errorf("code %s: tshark counts %d, want %d; all are %v", code, found[code], n, found)
		}
		delete(found, code)
	}
	if len(found) > 0 {
		t.Errorf("tshark found these codes too: %v", found)
	}
	return all["coap.type"], all["dtls.record.special_type"]
}

// badCoAP is a request whose token is longer than what follows, in CoAP's two framings.
var (
	badDatagram = []byte{0x48, 2, 0, 9, 'a', 'b'}
	badStream   = []byte{0x20, 2, 0xF1, 0xFF} // an option that says 15 of its delta
)

func TestCoAP(t *testing.T) {
	server := peers.CoAP(t)
	tap, addr := wiretap.UDP(t, server, 5683)
	report(t, &coap.Dialer{ContentFormat: message.AppJSON}, addr, true)
	// An empty message (ping, its reset), POST, and 2.04; the message types are CON, NON, ACK, RST.
	types, _ := wantReports(t, tap, map[string]int{"0": 2, "2": reports, "68": reports - 1})
	if types["0"] == 0 || types["1"] == 0 || types["2"] == 0 || types["3"] == 0 {
		t.Errorf("tshark counts these types: %v", types)
	}

	tap, addr = wiretap.UDP(t, echoUDP(t), 5683)
	exchange(t, "udp", addr, badDatagram)
	wantFault(t, tap)
}

func TestCoAPOverTCP(t *testing.T) {
	for _, f := range []form{
		{sim.TransportTCP, "", 5683, ""},
		{sim.TransportTLS, "1.2", 5684, ""},
		{sim.TransportTLS, "1.3", 5684, ""},
	} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			server := peers.CoAPTCP(t)
			tap, addr, args := f.record(t, server)
			report(t, &coap.StreamDialer{DialTCP: f.link(t, sim.ChannelCoAP).Dial}, addr, false)
			// The options of 7.01 (RFC 8323 section 5.3): Max-Message-Size, 2, which CoAP has none of, and
			// Block-Wise-Transfer, 4 and empty, which tshark takes for CoAP's ETag.
			tap.Pardon = []string{"Invalid Option Number 2", "Invalid Option Range: 0 (1 < x < 8)"}
			// 7.01 both ways, 7.04 of the device, POST, and 2.04 for each. Of two messages in a segment tshark
			// 4.0 sees the first: the device's first request may be right behind its 7.01.
			want := map[string]int{"225": 2, "2": reports, "68": reports, "228": 1}
			if f.transport == sim.TransportTCP {
				want["2"]--
			}
			wantReports(t, tap, want, args...)

			tap, addr, args = f.record(t, server)
			f.garble(t, sim.ChannelCoAP, addr, badStream)
			wantFault(t, tap, args...)
		})
	}
}

func TestCoAPOverDTLS(t *testing.T) {
	key := []byte("a key of 16 byte")
	args := []string{"-o", "dtls.psk:" + hex.EncodeToString(key)}
	psk := func([]byte) ([]byte, error) { return key, nil }
	for _, suite := range []dtls.CipherSuiteID{dtls.TLS_PSK_WITH_AES_128_CCM_8, dtls.TLS_PSK_WITH_AES_128_GCM_SHA256} {
		for _, cid := range []bool{false, true} {
			name := suite.String()
			opts := []dtls.ServerOption{dtls.WithPSK(psk), dtls.WithCipherSuites(suite)}
			if cid {
				name += " CID"
				opts = append(opts, dtls.WithConnectionIDGenerator(dtls.RandomCIDGenerator(8)))
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				server, _ := peers.CoAPDTLS(t, opts...)
				tap, addr := wiretap.UDP(t, server, 5684)
				report(t, &coap.Dialer{
					Binding: sim.Binding{Security: sim.Security{Credential: sim.CredentialPSK, CID: cid}},
					Secure:  &coap.DTLS{PSK: func(*sim.Caller) (identity, psk []byte) { return []byte("dev-1"), key }},
				}, addr, true)
				_, records := wantReports(t, tap, map[string]int{"0": 2, "2": reports, "68": reports - 1}, args...)
				if got := records["25"]; cid != (got >= reports) { // RFC 9146: tls12_cid, which only we send
					t.Errorf("%d records with a Connection ID: %v", got, records)
				}

				tap, addr = wiretap.UDP(t, server, 5684)
				garbleDTLS(t, addr, psk, cid)
				wantFault(t, tap, args...)
			})
		}
	}
}

// garbleDTLS is another's client, pion's, with the same keys.
func garbleDTLS(t *testing.T, addr string, psk dtls.PSKCallback, cid bool) {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	opts := []dtls.ClientOption{dtls.WithPSK(psk), dtls.WithPSKIdentityHint([]byte("dev-1")),
		dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_CCM_8, dtls.TLS_PSK_WITH_AES_128_GCM_SHA256)}
	if cid {
		opts = append(opts, dtls.WithConnectionIDGenerator(dtls.OnlySendCIDGenerator()))
	}
	conn, err := dtls.DialWithOptions("udp", to, opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	ping := []byte{0x40, 0, 0, 7}
	if _, err := conn.Write(badDatagram); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(ping); err != nil && !hungUp(err) { // the server may have had enough after the first
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := conn.Read(make([]byte, 64)); err != nil && !hungUp(err) { // both were recorded
		t.Fatal(err)
	}
}

func wantFault(t *testing.T, tap *wiretap.Tap, args ...string) {
	t.Helper()
	if found := tap.Faults(args...); len(found) == 0 {
		t.Error("tshark finds nothing wrong")
	}
}
