package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/link"
)

// violation is what the peer sent against the protocol, as the reason that a version 5 DISCONNECT has
// for it (5 section 3.14.2.1).
type violation byte

const (
	errMalformed      violation = 0x81
	errProtocol       violation = 0x82
	errReceiveMaximum violation = 0x93
	errAlias          violation = 0x94
	errTooLarge       violation = 0x95
)

// Error implements error.
func (v violation) Error() string {
	return fmt.Sprintf("mqtt: the peer broke the protocol (%#x)", byte(v))
}

// OutcomeOf is the class of an error of a connection, at any depth of wrapping. A context that was
// cancelled says nothing of the peer: its outcome is AppUnknown. What has no class is LocalOther.
func OutcomeOf(err error) sim.Outcome {
	if err == nil {
		return sim.OK
	}
	var wrong violation
	if errors.As(err, &wrong) {
		return sim.MQTTMalformed
	}
	if outcome, ok := link.Outcome(err); ok {
		return outcome // before the classes of TCP: a failed handshake may wrap one
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return sim.DNSFailure // before timeouts: a slow resolver is still the resolver
	}
	for _, c := range errorClasses() {
		if errors.Is(err, c.err) {
			return c.outcome
		}
	}
	if isTimeout(err) {
		return sim.TCPTimeout
	}
	return sim.LocalOther
}

type errorClass struct {
	err     error
	outcome sim.Outcome
}

func errorClasses() [20]errorClass {
	return [...]errorClass{
		{syscall.ECONNRESET, sim.TCPReset},
		{io.EOF, sim.TCPClosed},
		{syscall.ECONNREFUSED, sim.TCPRefused},
		{syscall.EPIPE, sim.TCPReset}, // written after the peer had closed and reset
		{syscall.ECONNABORTED, sim.TCPReset},
		{io.ErrUnexpectedEOF, sim.TCPClosed},
		{io.ErrClosedPipe, sim.TCPClosed},
		{net.ErrClosed, sim.TCPClosed},
		{syscall.ETIMEDOUT, sim.TCPTimeout},
		{syscall.ENETUNREACH, sim.TCPUnreachable},
		{syscall.EHOSTUNREACH, sim.TCPUnreachable},
		{syscall.ENETDOWN, sim.TCPUnreachable},
		{syscall.EHOSTDOWN, sim.TCPUnreachable},
		{syscall.EMFILE, sim.LocalDescriptors},
		{syscall.ENFILE, sim.LocalDescriptors},
		{syscall.EADDRNOTAVAIL, sim.LocalPorts},
		{syscall.EADDRINUSE, sim.LocalPorts},
		{syscall.ENOBUFS, sim.LocalMemory},
		{syscall.ENOMEM, sim.LocalMemory},
		{context.Canceled, sim.AppUnknown},
	}
}

func isTimeout(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true // the device's clock: it shall not allocate
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// connackOutcome classifies a CONNACK code. The codes of 3.1.1 (1 to 5) and of 5 (0x80 and above)
// do not overlap, and a server that knows 3.1.1 only may answer a version 5 CONNECT with code 1.
func connackOutcome(code byte) sim.Outcome {
	switch code {
	case 0:
		return sim.OK
	case 4, 5, 0x86, 0x87:
		return sim.MQTTBadCredentials
	case 3, 0x88, 0x89, 0x9F:
		return sim.MQTTServerBusy
	case 0x95:
		return sim.MQTTTooLarge
	case 0x9C, 0x9D:
		return sim.MQTTRedirected
	}
	return sim.MQTTRefused
}

// pubackOutcome classifies a PUBACK or PUBREC reason (5 section 3.4.2.1); below 0x80 is success.
func pubackOutcome(reason byte) sim.Outcome {
	switch {
	case reason < 0x80:
		return sim.OK
	case reason == 0x87:
		return sim.MQTTNotAuthorized
	case reason == 0x97:
		return sim.MQTTQuotaExceeded
	}
	return sim.MQTTPubackError
}

// disconnectOutcome classifies the reason of a server's DISCONNECT (5 section 3.14.2.1).
func disconnectOutcome(reason byte) sim.Outcome {
	switch reason {
	case 0x8E:
		return sim.MQTTTakenOver
	case 0x89, 0x9F:
		return sim.MQTTServerBusy
	case 0x81, 0x82, 0x93, 0x94:
		return sim.MQTTProtocolError
	case 0x87:
		return sim.MQTTNotAuthorized
	case 0x95:
		return sim.MQTTTooLarge
	case 0x97:
		return sim.MQTTQuotaExceeded
	case 0x9C, 0x9D:
		return sim.MQTTRedirected
	}
	return sim.MQTTDisconnected
}
