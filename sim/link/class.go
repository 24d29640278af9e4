package link

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/myriad-iot/myriad/sim"
)

// OutcomeOf is the class of an error of a connection or of a dial, at any depth of wrapping: those of
// [Outcome], and TCP's. A context that was cancelled says nothing of the peer: its outcome is AppUnknown.
// A deadline that passed is TCPTimeout; what has no class is LocalOther.
func OutcomeOf(err error) sim.Outcome {
	if err == nil {
		return sim.OK
	}
	if outcome, ok := Outcome(err); ok {
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
