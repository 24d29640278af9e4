package wiretap_test

import (
	"cmp"
	"crypto/tls"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/internal/peers"
	"github.com/myriad-iot/myriad/sim/internal/wiretap"
	"github.com/myriad-iot/myriad/sim/link"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

const patience = 10 * time.Second // for what a server on loopback must do

// form is one way to carry a protocol. MQTT over TCP is recorded in sim/mqtt/specimen.
type form struct {
	transport sim.Transport
	tls       string // version, if it is one of TLS
	port      uint16 // in the recording
	decode    string // for tshark's -d
}

func (f form) String() string { return string(cmp.Or(f.transport, "plain")) + f.tls }

var authority = &identity.Authority{Seed: 5}

// record puts a Tap before a server, and TLS between them if the form has it; args let tshark in.
func (f form) record(t *testing.T, server string) (tap *wiretap.Tap, addr string, args []string) {
	t.Helper()
	if f.decode != "" {
		args = append(args, "-d", f.decode)
	}
	if f.transport.Secured() {
		var keys string
		server, keys = terminate(t, server)
		args = append(args, "-o", "tls.keylog_file:"+keys)
	}
	tap, addr = wiretap.TCP(t, server, f.port)
	return tap, addr, args
}

// link connects devices in this form.
func (f form) link(t *testing.T, c sim.Channel) *link.Dialer {
	t.Helper()
	l, err := link.New(&sim.Binding{Channel: c, Transport: f.transport, Security: sim.Security{TLS: f.tls}}, authority)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// garble sends raw as a device would, and waits until the server hangs up.
func (f form) garble(t *testing.T, c sim.Channel, addr string, raw []byte) {
	t.Helper()
	conn, err := f.link(t, c).Dial(t.Context(), &sim.Caller{Endpoint: addr})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(raw); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && !hungUp(err) {
		t.Fatal(err)
	}
}

// hungUp: gorilla closes TCP without WebSocket's close, and a close with unread data is a reset.
func hungUp(err error) bool {
	timeout, ok := err.(net.Error)
	return !ok || !timeout.Timeout()
}

// terminate puts TLS before a server, with the keys of its connections in a file (NSS key log).
func terminate(t *testing.T, server string) (addr, keys string) {
	t.Helper()
	certificate, err := authority.Server()
	if err != nil {
		t.Fatal(err)
	}
	keys = filepath.Join(t.TempDir(), "keys")
	file, err := os.Create(keys)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{*certificate}, NextProtos: []string{"coap", "http/1.1"}, KeyLogWriter: file})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", server)
			if err != nil {
				near.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				wg.Go(func() {
					_, _ = io.Copy(way[0], way[1])
					near.Close()
					far.Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
		file.Close()
	})
	return l.Addr().String(), keys
}

// tshark understands every packet of a device's life over TLS and WebSocket, and counts what was sent.
func TestMQTT(t *testing.T) {
	for _, f := range []form{
		{sim.TransportTLS, "1.2", 8883, ""},
		{sim.TransportTLS, "1.3", 8883, ""},
		{sim.TransportWS, "", 8083, "tcp.port==8083,http"},
		{sim.TransportWSS, "1.3", 8084, "tls.port==8084,http"},
	} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			server := peers.Mochi(t)
			if f.transport == sim.TransportWS || f.transport == sim.TransportWSS {
				server = peers.MochiWebSocket(t)
			}
			tap, addr, args := f.record(t, server)
			for _, version := range []string{"3.1.1", "5"} {
				live(t, f.link(t, sim.ChannelMQTT), version, addr)
			}
			found := tap.Count([]string{"mqtt.ver", "mqtt.msgtype"}, args...)
			if v := found["mqtt.ver"]; v["4"] != 1 || v["5"] != 1 {
				t.Errorf("tshark counts these versions: %v", v)
			}
			// Each of two devices says and hears one message of each QoS, and says one more of QoS 1.
			want := map[string]int{"1": 2, "2": 2, "3": 14, "4": 6, "5": 4, "6": 4, "7": 4, "8": 2, "9": 2, "14": 2}
			if types := found["mqtt.msgtype"]; !maps.Equal(types, want) {
				t.Errorf("tshark counts %v, want %v", types, want)
			}
			tap, addr, args = f.record(t, server)
			f.garble(t, sim.ChannelMQTT, addr, []byte{0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 9})
			if found := tap.Faults(args...); len(found) == 0 {
				t.Error("tshark finds nothing wrong with an identifier that is cut")
			}
		})
	}
}

// live is a device's life: one message of each QoS, which comes back.
func live(t *testing.T, l *link.Dialer, version, addr string) {
	t.Helper()
	b := sim.Binding{Version: version, MQTT: sim.MQTT{Subscribe: []sim.Subscription{{Filter: "t/{id}", QoS: 2}}}}
	d := &mqtt.Dialer{Binding: b, DialConn: l.Dial}
	id := "dev-" + version
	c, _, o := d.Dial(t.Context(), &sim.Caller{ID: id, Endpoint: addr})
	if o != sim.OK {
		t.Fatal(o)
	}
	heard, acked := 0, 0
	for qos := range byte(3) {
		m := &sim.Message{Seq: uint32(qos), Topic: "t/" + id, Payload: []byte("qos " + strconv.Itoa(int(qos))), QoS: qos}
		if o := c.Publish(m); o != sim.OK {
			t.Fatal(o)
		}
	}
	// What comes after our PUBREC of the last one comes after the broker's PUBREL.
	for heard < 3 || acked < 3 {
		switch e := c.Wait(time.Now().Add(patience)); e.Kind {
		case sim.EventInbound:
			if heard++; heard == 3 {
				if o := c.Publish(&sim.Message{Seq: 3, Topic: "last", QoS: 1}); o != sim.OK {
					t.Fatal(o)
				}
			}
		case sim.EventAcked:
			acked++
		case sim.EventReceived:
		default:
			t.Fatalf("%d heard, %d acknowledged, and then %+v", heard, acked, e)
		}
	}
	c.Close(false)
}
