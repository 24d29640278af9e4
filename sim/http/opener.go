package http

import (
	"cmp"
	"context"
	"net"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/link"
)

const (
	defaultConnectTimeout = 10 * time.Second
	defaultSilence        = 60 * time.Second
)

// Opener opens the lines of one binding. It may be used by many goroutines; its fields must not change
// after the first Open, and it must not be copied.
type Opener struct {
	Binding sim.Binding // ConnectTimeout and Silence are used

	// DialConn connects the transport until ctx is done or its deadline, for which it has to look: it is a
	// [sim.Deadline]. Nil means TCP without TCP keep-alive. A conn that implements [sim.Handshaker] says
	// what its handshake was.
	DialConn func(ctx context.Context, c *sim.Caller) (net.Conn, error)

	buffers buffers
}

// Open implements [sim.Opener]: it connects. The result is a [*Line]. When ctx is cancelled the outcome is
// AppUnknown. Facts.Established is when the first request may be sent; Interrupter is nil, because
// cancelling its context is what ends a request.
func (o *Opener) Open(ctx context.Context, c *sim.Caller) (sim.Requester, sim.Facts, sim.Outcome) {
	l := &Line{opener: o, caller: *c}
	facts, outcome := l.connect(ctx)
	if outcome != sim.OK {
		return nil, facts, outcome
	}
	return l, facts, sim.OK
}

// connect gives the line a connection. A deadline of ctx may be earlier than the connect timeout.
func (l *Line) connect(ctx context.Context) (facts sim.Facts, outcome sim.Outcome) {
	called := time.Now()
	deadline := called.Add(cmp.Or(max(l.opener.Binding.ConnectTimeout.D(), 0), defaultConnectTimeout))
	if at, ok := ctx.Deadline(); ok && at.Before(deadline) {
		deadline = at
	}
	conn, err := l.opener.dial(sim.Deadline{Context: ctx, At: deadline}, &l.caller)
	if err != nil {
		return facts, link.OutcomeOf(err)
	}
	facts.Opened = time.Now()
	facts.Established = facts.Opened
	if h, ok := conn.(sim.Handshaker); ok {
		facts.Opened = called
		facts.Secured, facts.Resumed = h.Handshake()
	}
	if at, ok := conn.(interface{ Opened() time.Time }); ok {
		facts.Opened = at.Opened()
	}
	l.wire.conn, l.used = conn, false
	return facts, sim.OK
}

func (o *Opener) dial(ctx sim.Deadline, c *sim.Caller) (net.Conn, error) {
	if o.DialConn != nil {
		return o.DialConn(ctx, c)
	}
	dialer := net.Dialer{KeepAlive: -1, Deadline: ctx.At}
	if c.Source.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(c.Source)
	}
	return dialer.DialContext(ctx, "tcp", c.Endpoint)
}
