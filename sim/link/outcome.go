package link

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Failure is an error of a handshake that has an outcome of its own. Errors of TCP stay what they are.
type Failure struct {
	Outcome sim.Outcome
	Err     error
}

// Error implements error.
func (f *Failure) Error() string { return f.Outcome.Class() + ": " + f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// errFrame is what a WebSocket peer sent against RFC 6455, or against MQTT's use of it (MQTT 5
// section 6).
var errFrame = errors.New("websocket: malformed frame")

// closed is the end of a WebSocket by a close frame. 1005 is one without a code.
type closed uint16

// Error implements error.
func (c closed) Error() string { return fmt.Sprintf("websocket: closed with code %d", uint16(c)) }

// outcome is TCPClosed, unless the peer complains of what we sent (RFC 6455 section 7.4.1).
func (c closed) outcome() sim.Outcome {
	switch c {
	case 1002, 1003, 1007:
		return sim.MQTTProtocolError
	case 1009:
		return sim.MQTTTooLarge
	}
	return sim.TCPClosed
}

// Outcome is the class of an error of TLS or WebSocket, of the handshake or later, at any depth of
// wrapping. It reports false for errors that are not theirs. Timeouts after the handshake are not.
func Outcome(err error) (sim.Outcome, bool) {
	if f := (*Failure)(nil); errors.As(err, &f) {
		return f.Outcome, true
	}
	if c := closed(0); errors.As(err, &c) {
		return c.outcome(), true
	}
	if errors.Is(err, errFrame) {
		return sim.MQTTMalformed, true
	}
	return tlsOutcome(err)
}

func tlsOutcome(err error) (sim.Outcome, bool) {
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return BadPeer(certificate), true
	}
	var op *net.OpError
	if errors.As(err, &op) {
		switch op.Op {
		case "remote error":
			if refusal(op.Err) {
				return sim.TLSRefused, true
			}
			return sim.TLSFailure, true
		case "local error":
			return sim.TLSFailure, true
		}
	}
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return sim.TLSFailure, true
	}
	return sim.OK, false
}

// BadPeer is the class of an error of checking the peer's certificate.
func BadPeer(err error) sim.Outcome {
	var invalid x509.CertificateInvalidError
	// A certificate that is not valid yet has the same reason.
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && time.Now().After(invalid.Cert.NotAfter) {
		return sim.TLSExpired
	}
	return sim.TLSBadPeer
}

// The alerts (RFC 8446 section 6.2) that crypto/tls has no names for.
const (
	alertHandshakeFailure    tls.AlertError = 40
	alertBadCertificate      tls.AlertError = 42
	alertUnsupported         tls.AlertError = 43
	alertRevoked             tls.AlertError = 44
	alertExpired             tls.AlertError = 45
	alertUnknownCertificate  tls.AlertError = 46
	alertUnknownCA           tls.AlertError = 48
	alertAccessDenied        tls.AlertError = 49
	alertDecryptError        tls.AlertError = 51
	alertUnknownPSK          tls.AlertError = 115
	alertCertificateRequired tls.AlertError = 116
)

// refusal reports whether a peer's alert is about our credential. crypto/tls keeps the type of a
// received alert to itself; its text is that of the AlertError with the same number.
func refusal(err error) bool {
	for _, a := range [...]tls.AlertError{
		alertBadCertificate, alertUnsupported, alertRevoked, alertExpired, alertUnknownCertificate, alertUnknownCA,
		alertAccessDenied, alertDecryptError, alertUnknownPSK, alertCertificateRequired,
	} {
		if is(err, a) {
			return true
		}
	}
	return false
}

func is(err error, a tls.AlertError) bool { return err != nil && err.Error() == a.Error() }

func addr(network string, at netip.AddrPort) net.Addr {
	if network == "udp" {
		return net.UDPAddrFromAddrPort(at)
	}
	return net.TCPAddrFromAddrPort(at)
}

func failed(op, network string, to netip.AddrPort, err error) error {
	e := &net.OpError{Op: op, Net: network, Err: err}
	if to.IsValid() {
		e.Addr = addr(network, to)
	}
	return e
}
