package coap

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

// unreachable reports whether err is what a connected UDP socket says after an ICMP error, or what
// the kernel says when there is no route at the moment.
func unreachable(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) ||
		errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTDOWN) ||
		errors.Is(err, syscall.ENOPROTOOPT)
}

// broken classes an error that a socket does not survive, or that a dial ended with.
func broken(err error) sim.Outcome {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return sim.LocalDescriptors
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EADDRINUSE):
		return sim.LocalPorts
	case errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.ENOBUFS):
		return sim.LocalMemory
	case errors.Is(err, errAlert):
		return sim.CoAPAborted
	case unreachable(err), errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
		return sim.CoAPUnreachable // EOF: a transport of DialConn was closed by its far end
	case errors.As(err, &dns):
		return sim.DNSFailure
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return sim.CoAPTimeout // a transport of DialConn that takes nothing
	}
	return sim.LocalOther
}

// answered classes a response by its code (RFC 7252 section 5.9).
func answered(code codes.Code) sim.Outcome {
	switch {
	case code>>5 == 2:
		return sim.OK
	case code == codes.TooManyRequests:
		return sim.CoAPTooMany
	case code == codes.ServiceUnavailable:
		return sim.CoAPUnavailable
	case code == codes.RequestEntityIncomplete:
		return sim.CoAPIncomplete
	case code == codes.RequestEntityTooLarge:
		return sim.CoAPTooLarge
	case code>>5 == 4:
		return sim.CoAPClientError
	case code>>5 == 5:
		return sim.CoAPServerError
	}
	return sim.CoAPMalformed // 3.xx: no such class
}

// OutcomeOf classes an error of a socket or of a dial; LocalOther is one without a class.
func OutcomeOf(err error) sim.Outcome { return broken(err) }

// OutcomeOfCode classes a response by its code (RFC 7252 section 5.9).
func OutcomeOfCode(code codes.Code) sim.Outcome { return answered(code) }
