package http

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	nethttp "net/http"
	"os"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/link"
)

// Line is a device's line to one server. It implements [sim.Requester].
type Line struct {
	opener *Opener
	caller sim.Caller
	wire   wire // its conn is nil while there is none
	used   bool // a request went over the connection
	closed bool
}

// Request implements [sim.Requester]. Beside those of the connection its outcomes are HTTPTimeout,
// HTTPMalformed, HTTPTooLarge, HTTPIncomplete, AppStopped, AppUnknown, and LocalOther for a request that cannot be
// written or a line that was closed. After any failure the connection is closed, and the next request makes
// another.
func (l *Line) Request(ctx context.Context, q *sim.Request, body sim.Body) (sim.Answer, sim.Outcome) {
	a := sim.Answer{Size: -1}
	request, err := compose(q, l.caller.Endpoint)
	if err != nil || l.closed {
		return a, sim.LocalOther
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return a, sim.AppUnknown
	}
	for {
		if l.wire.conn == nil {
			a.Attempts++
			if _, o := l.connect(ctx); o != sim.OK {
				return a, o
			}
		}
		again := l.used && idempotent(request.Method)
		l.used = true
		o, keep := l.exchange(ctx, q, request, &a, body)
		if !keep {
			l.drop(false)
		}
		if !again || l.wire.heard || o != sim.TCPClosed && o != sim.TCPReset {
			return a, o
		}
		if request, err = compose(q, l.caller.Endpoint); err != nil { // a second copy: the body of the first was read
			return a, sim.LocalOther
		}
	}
}

// exchange sends the request and takes the answer. keep says that the connection may carry another.
func (l *Line) exchange(ctx context.Context, q *sim.Request, request *nethttp.Request, a *sim.Answer,
	body sim.Body) (o sim.Outcome, keep bool) {
	w := &l.wire
	w.begin(ctx, cmp.Or(max(l.opener.Binding.Silence.D(), 0), defaultSilence))
	release := w.watch(ctx)
	defer release()
	s := l.opener.buffers.get(w)
	defer l.opener.buffers.put(s)
	unsent := send(request, s)
	if unsent != nil && !hungUp(w.failed) {
		return w.unsent(), false
	}
	// A peer that hangs up while we write may have said why: it need not have read all.
	failed := w.failed
	response, err := receive(request, s, w)
	switch {
	case err != nil && !w.heard && failed != nil:
		return link.OutcomeOf(failed), false
	case err != nil:
		return w.broken(), false
	case head(a, q, response) != nil:
		return sim.HTTPMalformed, false
	}
	if o := w.deliver(s, response, a, body); o != sim.OK {
		return o, false
	}
	return sim.OK, unsent == nil && !response.Close && s.in.Buffered() == 0
}

func send(request *nethttp.Request, s *buffer) error {
	if err := request.Write(s.out); err != nil {
		return err
	}
	return s.out.Flush()
}

// hungUp reports whether a write failed because the peer reads no more.
func hungUp(err error) bool {
	o := link.OutcomeOf(err)
	return o == sim.TCPReset || o == sim.TCPClosed
}

// deliver hands the answer's body on.
func (w *wire) deliver(s *buffer, response *nethttp.Response, a *sim.Answer, body sim.Body) sim.Outcome {
	for {
		n, err := response.Body.Read(s.part[:])
		if n > 0 && body != nil && body(a, s.part[:n]) != nil {
			return sim.AppStopped
		}
		a.Received += int64(n)
		switch {
		case err == io.EOF:
			if a.Size < 0 && response.StatusCode != nethttp.StatusPartialContent && bodied(response) {
				a.Size = a.Received
			}
			return sim.OK
		case err != nil:
			return w.broken()
		}
	}
}

// unsent is what it means that a request could not be written.
func (w *wire) unsent() sim.Outcome {
	if w.failed == nil {
		return sim.LocalOther // of the request
	}
	return w.broken()
}

// broken is what it means that an answer could not be read.
func (w *wire) broken() sim.Outcome {
	err := w.failed
	switch {
	case err == nil:
		return sim.HTTPMalformed // nothing was wrong with the connection
	case errors.Is(err, errHead):
		return sim.HTTPTooLarge
	case errors.Is(err, context.Canceled):
		return sim.AppUnknown
	case isTimeout(err):
		return sim.HTTPTimeout
	case w.heard && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		return sim.HTTPIncomplete
	}
	return link.OutcomeOf(err)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// Close implements [sim.Requester].
func (l *Line) Close(abrupt bool) {
	l.drop(abrupt)
	l.closed = true
}

// drop ends the connection: abruptly with a reset.
func (l *Line) drop(abrupt bool) {
	if l.wire.conn == nil {
		return
	}
	if c, ok := l.wire.conn.(interface{ SetLinger(int) error }); ok && abrupt {
		_ = c.SetLinger(0)
	}
	_ = l.wire.conn.Close() // nothing is to be saved any more
	l.wire.conn = nil
}
