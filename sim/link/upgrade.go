package link

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

const (
	subprotocol = "mqtt" // MQTT-6.0.0-3
	defaultPath = "/mqtt"
	// The GUID of RFC 6455 section 1.3.
	keySalt = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	// maxHello bounds what the peer may say before the first frame.
	maxHello  = 16 << 10
	helloRead = 512
)

// target takes an endpoint, "host:port" or "host:port/path", apart.
func target(endpoint string) (host, path string) {
	if i := strings.IndexByte(endpoint, '/'); i >= 0 {
		return endpoint[:i], endpoint[i:]
	}
	return endpoint, defaultPath
}

// overTLS is a WebSocket over TLS.
type overTLS struct {
	*websocket
	secured *secured
}

// Handshake implements [sim.Handshaker].
func (o overTLS) Handshake() (over time.Time, resumed bool) { return o.secured.Handshake() }

// Opened is when TCP was connected.
func (o overTLS) Opened() time.Time { return o.secured.opened }

// WebSocket makes a WebSocket of conn and returns when the peer has upgraded. Whatever else it answers
// is WSRefused, silence too. conn is the caller's to close on error.
func (d *Dialer) WebSocket(ctx context.Context, conn net.Conn, host, path string) (net.Conn, error) {
	w := &websocket{Conn: conn, buffers: &d.buffers}
	err := within(ctx, conn, func() (err error) {
		w.rest, err = upgrade(conn, host, path)
		return err
	})
	if isTimeout(err) {
		err = &Failure{sim.WSRefused, err}
	}
	if err != nil {
		return nil, err
	}
	if s, ok := conn.(*secured); ok {
		return overTLS{w, s}, nil
	}
	return w, nil
}

// upgrade is the client's handshake (RFC 6455 section 4.1). It returns what came behind the answer.
func upgrade(conn net.Conn, host, path string) ([]byte, error) {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // it never fails
	key := base64.StdEncoding.EncodeToString(nonce[:])
	u.Host, u.Scheme = host, "http"
	request := &http.Request{Method: http.MethodGet, URL: u, Host: host, Header: http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {key}, "Sec-Websocket-Protocol": {subprotocol}, "User-Agent": {"myriad"},
	}}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	raw := &watched{Reader: conn}
	in := bufio.NewReaderSize(io.LimitReader(raw, maxHello), helloRead)
	answer, err := http.ReadResponse(in, request)
	if err != nil {
		if raw.err != nil { // the connection's fault, not the answer's
			return nil, raw.err
		}
		return nil, &Failure{sim.WSRefused, err}
	}
	h := answer.Header
	switch {
	case answer.StatusCode != http.StatusSwitchingProtocols:
		err = fmt.Errorf("the answer was %s", answer.Status)
	case !has(h, "Connection", "upgrade") || !has(h, "Upgrade", "websocket"):
		err = errors.New("the answer does not name the upgrade")
	case h.Get("Sec-Websocket-Accept") != acceptance(key):
		err = errors.New("the answer is to another key")
	case h.Get("Sec-Websocket-Protocol") != subprotocol:
		err = fmt.Errorf("the subprotocol is %q", h.Get("Sec-Websocket-Protocol"))
	case h.Get("Sec-Websocket-Extensions") != "":
		err = errors.New("an extension that was not offered")
	}
	if err != nil {
		return nil, &Failure{sim.WSRefused, err}
	}
	return read(in), nil
}

// read is a copy of what in has read ahead, nil if that is nothing.
func read(in *bufio.Reader) []byte {
	if in.Buffered() == 0 {
		return nil
	}
	rest, _ := in.Peek(in.Buffered())
	return slices.Clone(rest)
}

// watched keeps the error of a reader.
type watched struct {
	io.Reader
	err error
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

func acceptance(key string) string {
	sum := sha1.Sum([]byte(key + keySalt))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// has reports whether a header lists a token.
func has(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// Upgrader makes WebSockets of what a server accepted. The zero value is ready; it must not be copied.
type Upgrader struct{ buffers buffers }

// Accept is the server's handshake (RFC 6455 section 4.2), on whatever path the client asks for. It
// blocks until conn's deadlines; a client that cannot be served is told so, with an error here.
func (u *Upgrader) Accept(conn net.Conn) (net.Conn, error) {
	in := bufio.NewReaderSize(io.LimitReader(conn, maxHello), helloRead)
	request, err := http.ReadRequest(in)
	if err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	h := request.Header
	key := h.Get("Sec-Websocket-Key")
	if request.Method != http.MethodGet || !has(h, "Connection", "upgrade") || !has(h, "Upgrade", "websocket") ||
		h.Get("Sec-Websocket-Version") != "13" || key == "" || !has(h, "Sec-Websocket-Protocol", subprotocol) {
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		return nil, errors.New("websocket: not an upgrade to MQTT")
	}
	_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "+acceptance(key)+"\r\nSec-WebSocket-Protocol: "+subprotocol+"\r\n\r\n")
	if err != nil {
		return nil, err
	}
	return &websocket{Conn: conn, buffers: &u.buffers, server: true, rest: read(in)}, nil
}
