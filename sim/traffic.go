package sim

import "sync/atomic"

// Traffic counts the bytes that devices gave to their sockets and took from them: the payload of TCP and UDP, so TLS,
// DTLS, WebSocket, keep-alives, and what CoAP and DTLS send again are in it; headers of TCP, UDP and IP, and what TCP
// sends again, are not. What a link under weather loses was sent, and was not received. Any goroutine may count and
// read. The methods that count take a nil Traffic, and do nothing.
type Traffic struct{ sent, received atomic.Int64 }

// Sent counts n bytes more that a socket took.
func (t *Traffic) Sent(n int) {
	if t != nil && n > 0 {
		t.sent.Add(int64(n))
	}
}

// Received counts n bytes more that a socket gave.
func (t *Traffic) Received(n int) {
	if t != nil && n > 0 {
		t.received.Add(int64(n))
	}
}

// Bytes are what was counted so far.
func (t *Traffic) Bytes() (sent, received int64) { return t.sent.Load(), t.received.Load() }

// Uncounted reports whether nobody counts the bytes of a library's connections, because it needs net's own types: go-coap
// reads its socket itself, and paho.golang writes a packet in one call only to a *net.TCPConn.
func (c Client) Uncounted() bool { return c == ClientGoCoAP || c == ClientPahoGolang }
