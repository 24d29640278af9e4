package peers_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	dtlsnet "github.com/pion/dtls/v3/pkg/net"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/link"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// layer is how far a peer keeps to the protocol before it turns hostile: at the first byte of its first
// answer of the layer. The ones that are "up" have a conversation established.
type layer string

const (
	inTLS, inWS, inMQTT, mqttUp layer = "TLS", "WebSocket", "MQTT", "MQTT up"
	inCoAP, coapUp              layer = "CoAP stream", "CoAP stream up"
	inDTLS, inUDP, udpUp        layer = "DTLS", "CoAP", "CoAP up"
)

// forms are the layers of each form, from the ground up.
var forms = map[sim.Scheme][]layer{
	sim.SchemeMQTT:     {inMQTT, mqttUp},
	sim.SchemeMQTTS:    {inTLS, inMQTT, mqttUp},
	sim.SchemeWS:       {inWS, inMQTT, mqttUp},
	sim.SchemeWSS:      {inTLS, inWS, inMQTT, mqttUp},
	sim.SchemeCoAP:     {inUDP, udpUp},
	sim.SchemeCoAPS:    {inDTLS, inUDP, udpUp},
	sim.SchemeCoAPTCP:  {inCoAP, coapUp},
	sim.SchemeCoAPSTCP: {inTLS, inCoAP, coapUp},
}

const (
	silence = "silence"
	end     = "end" // of the connection; there is none of datagrams
	garbage = "garbage"
	web     = "a web server"
	echo    = "echo"
	huge    = "a huge length"
	wrongID = "another's id, and the end"
)

// outcomes says what comes of each peer at each layer: of dialing, or of the one message.
var outcomes = map[layer]map[string]sim.Outcome{
	inTLS: {silence: sim.TLSTimeout, end: sim.TCPClosed, garbage: sim.TLSFailure, web: sim.TLSFailure,
		echo: sim.TLSFailure, huge: sim.TLSFailure},
	inWS: {silence: sim.WSRefused, end: sim.TCPClosed, garbage: sim.WSRefused, web: sim.WSRefused,
		echo: sim.WSRefused, huge: sim.WSRefused},
	inMQTT: {silence: sim.MQTTConnackTimeout, end: sim.TCPClosed, garbage: sim.MQTTMalformed, web: sim.MQTTMalformed,
		echo: sim.MQTTMalformed, huge: sim.MQTTMalformed},
	mqttUp: {silence: sim.MQTTKeepAliveTimeout, end: sim.TCPClosed, garbage: sim.MQTTMalformed, web: sim.MQTTMalformed,
		echo: sim.OK, wrongID: sim.TCPClosed,
		huge: sim.MQTTKeepAliveTimeout}, // it is over the device's limit, and so thrown away: the device waits for the rest
	inCoAP: {silence: sim.CoAPTimeout, end: sim.TCPClosed, garbage: sim.CoAPMalformed, web: sim.CoAPMalformed,
		echo: sim.CoAPClientError, huge: sim.CoAPMalformed},
	coapUp: {silence: sim.CoAPTimeout, end: sim.TCPClosed, garbage: sim.CoAPMalformed, web: sim.CoAPMalformed,
		echo: sim.CoAPClientError, huge: sim.CoAPMalformed, wrongID: sim.TCPClosed},
	inDTLS: {silence: sim.TLSTimeout, garbage: sim.TLSTimeout, web: sim.TLSTimeout, echo: sim.TLSTimeout, huge: sim.TLSTimeout},
	inUDP: {silence: sim.CoAPTimeout, garbage: sim.CoAPTimeout, web: sim.CoAPTimeout, echo: sim.CoAPClientError,
		huge: sim.CoAPTimeout, wrongID: sim.CoAPTimeout},
	udpUp: {silence: sim.CoAPTimeout, garbage: sim.CoAPTimeout, web: sim.CoAPTimeout, echo: sim.CoAPClientError,
		huge: sim.CoAPTimeout, wrongID: sim.CoAPTimeout},
}

// words are what is special to a layer.
var words = map[string]map[layer]string{
	huge: {
		inTLS: "\x16\x03\x03\xff\xff", inWS: "HTTP/1.1 101 Switching Protocols\r\n" + strings.Repeat("X: y\r\n", 10_000),
		inMQTT: "\x20\xff\xff\xff\x7f", mqttUp: "\x30\xff\xff\xff\x7f", inCoAP: "\xf0\xff\xff\xff\xff\xe1", coapUp: "\xf0\xff\xff\xff\xff\x44",
		inDTLS: "\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff", inUDP: "\x70\x00\x00\x01\xee\xff\xff", udpUp: "\x60\x44\x00\x01\xee\xff\xff",
	},
	wrongID: {
		mqttUp: "\x40\x02\x77\x77", coapUp: "\x08\x44notmytok",
		inUDP: "\x70\x00\x77\x77", udpUp: "\x68\x44\x77\x77notmytok",
	},
}

// authority is valid when synctest's time begins.
var authority = &identity.Authority{Seed: 3, Since: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), Life: 10 * 365 * 24 * time.Hour}

// TestHostilePeers: whatever a peer does, over every form, is an outcome of its own layer in virtual
// time; and when the device has hung up, nothing of it is left: synctest fails on a goroutine that is.
func TestHostilePeers(t *testing.T) {
	for scheme, layers := range forms {
		for depth, l := range layers {
			for name, want := range outcomes[l] {
				t.Run(string(scheme)+"/"+string(l)+"/"+name, func(t *testing.T) {
					bubble.Test(t, func(t *testing.T) {
						p := &hostile{scheme: scheme, proper: layers[:depth], at: l, name: name}
						if got, what := p.meet(t); got != want {
							t.Errorf("%s: %s, want %s", what, got.Class(), want.Class())
						}
					})
				})
			}
		}
	}
}

type hostile struct {
	scheme sim.Scheme
	proper []layer
	at     layer
	name   string
}

// meet is a device's life with the peer: one message, unless dialing fails.
func (h *hostile) meet(t *testing.T) (sim.Outcome, string) {
	b := sim.Binding{Channel: h.scheme.Channel(), Transport: h.scheme.Transport()}
	if b.Transport == sim.TransportDTLS {
		b.Security.Credential = sim.CredentialPSK
	}
	l, err := link.New(&b, authority)
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe() // keeps datagrams apart too: each is read with room for it
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer far.Close()
		h.serve(t, far)
	}()
	defer func() {
		near.Close()
		far.Close()
		<-gone
	}()
	connect := func(ctx context.Context, c *sim.Caller) (conn net.Conn, err error) { // as link's Dial, but for TCP
		conn = near
		if b.Transport.Secured() {
			conn, err = l.TLS(ctx, conn, c)
		}
		if err == nil && (b.Transport == sim.TransportWS || b.Transport == sim.TransportWSS) {
			conn, err = l.WebSocket(ctx, conn, "h:1", "/mqtt")
		}
		return conn, err
	}
	var d sim.Dialer
	switch {
	case b.Channel == sim.ChannelMQTT:
		d = &mqtt.Dialer{Binding: b, DialConn: connect}
	case h.scheme == sim.SchemeCoAP, h.scheme == sim.SchemeCoAPS:
		own := &coap.Dialer{Binding: b, DialConn: func(context.Context, string, sim.Ordinal) (net.Conn, error) {
			return near, nil
		}}
		if h.scheme == sim.SchemeCoAPS {
			own.Secure = &coap.DTLS{PSK: func(c *sim.Caller) ([]byte, []byte) { return authority.PSK(0, 0, c.ID) }}
		}
		d = own
	default:
		d = &coap.StreamDialer{Binding: b, DialTCP: connect, Outcome: link.Outcome}
	}
	c, _, o := d.Dial(t.Context(), &sim.Caller{ID: "dev-1", Key: 7, Endpoint: "h:1"})
	if o != sim.OK {
		return o, "dialing"
	}
	defer c.Close(false)
	if o := c.Publish(&sim.Message{Seq: 5, Topic: "t", Payload: []byte("x"), QoS: 1}); o != sim.OK {
		return o, "publishing"
	}
	e := c.Wait(time.Now().Add(time.Hour))
	for e.Kind == sim.EventInbound { // an echo, and our acknowledgement of it is the next one
		e = c.Wait(time.Now().Add(time.Hour))
	}
	if e.Kind == sim.EventNone {
		t.Error("no event")
	}
	return e.Outcome, "waiting"
}

// serve keeps to the protocol of the proper layers, and then does not.
func (h *hostile) serve(t *testing.T, conn net.Conn) {
	first := make([]byte, 4096)
	for _, l := range h.proper {
		var err error
		switch l {
		case inTLS:
			var own *tls.Certificate
			if own, err = authority.Server("h"); err == nil {
				server := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*own}, SessionTicketsDisabled: true, NextProtos: []string{"coap"}})
				err, conn = server.Handshake(), server
			}
		case inWS:
			conn, err = new(link.Upgrader).Accept(conn)
		case inDTLS:
			var server *dtls.Conn
			server, err = dtls.ServerWithOptions(dtlsnet.PacketConnFromConn(conn), conn.RemoteAddr(),
				dtls.WithPSK(func(id []byte) ([]byte, error) { return authority.Key(id), nil }),
				dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_CCM_8))
			if err == nil {
				err, conn = server.HandshakeContext(t.Context()), server
				defer server.Close()
			}
		case inMQTT, inCoAP, inUDP:
			answer := map[layer][]byte{inMQTT: {0x20, 2, 0, 0}, inCoAP: {0, 0xE1}}[l]
			if _, err = conn.Read(first); err == nil {
				if l == inUDP {
					answer = []byte{0x70, 0, first[2], first[3]}
				}
				_, err = conn.Write(answer)
			}
		}
		if err != nil {
			t.Errorf("%s: %v", l, err)
			return
		}
	}
	if h.name == echo {
		_, _ = io.Copy(conn, conn)
		return
	}
	text := words[h.name][h.at]
	switch h.name {
	case garbage:
		text = string(bytes.Repeat([]byte{0xEE}, 999))
	case web:
		text = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
	}
	if _, err := conn.Read(first); err != nil {
		t.Errorf("%s: the device said nothing: %v", h.at, err)
	}
	heard := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		close(heard)
	}()
	if text != "" {
		_, _ = io.WriteString(conn, text)
	}
	if h.name == end || h.name == wrongID && h.at != inUDP && h.at != udpUp {
		_ = conn.Close()
	}
	<-heard
}
