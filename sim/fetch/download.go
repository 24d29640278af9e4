package fetch

import (
	"context"
	"errors"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Download fetches one representation. Its first fields are set before Run and not changed after; it belongs
// to one goroutine.
type Download struct {
	// Open gives a line: when Run begins, and after each failure. Lines are the caller's to close, the one
	// before when another is asked for, the last one after Run.
	Open func(ctx context.Context) (sim.Requester, sim.Outcome)

	// Request is what to ask for. Its Offset is not used; its ETag is while nothing is there: then only another
	// representation is fetched, and Run ends with code 304 or 203 if there is none.
	Request sim.Request

	// Write takes the representation's parts in order; at is where part lies. At 0, whatever came before is
	// void: it is the first part, or there is another representation now. An error ends Run with AppStopped.
	Write func(at int64, part []byte) error

	// Retry says when to try again; what came since the last try resets its count. The zero value is
	// [sim.DefaultRetry].
	Retry sim.Retry
	Draw  func() float64 // for Retry, in [0, 1); nil draws 0

	// Progress is what is there. A device that lost power in the middle goes on with what it has kept of it,
	// which the next Run then takes from here.
	Progress Progress
	Count    Count

	begun    bool  // this answer's representation is known
	strange  bool  // and it does not go on with what is there
	furthest int64 // that it ever came
}

// Progress is a part of a representation, from its beginning.
type Progress struct {
	Bytes int64
	ETag  string // of the representation; empty: the peer gives none
	Size  int64  // of the whole representation; 0 or below: unknown
}

// Count is what a download cost. Fetched is Progress.Bytes and Repeated together, if nothing was there before.
type Count struct {
	Lines    int   // that were asked for
	Requests int   // that were sent, or tried to be
	Restarts int   // from the beginning, with something there already
	Fetched  int64 // bytes of bodies, without messages about errors
	Repeated int64 // bytes of Fetched that were there already, or that are void now
}

// step is what follows a request.
type step uint8

const (
	done  step = iota
	onAt       // at once: there is more to ask for
	again      // after a pause
	anew       // after a pause, over another line
)

// errStrange ends a body that is of no use.
var errStrange = errors.New("fetch: not what is to follow")

// Run fetches until all of it is there (OK), or until it gives up: when the peer refuses (the outcome is
// Answer.Status), when Write does (AppStopped), when the policy does or ctx's deadline passes (the outcome is
// that of the last failure), when ctx is cancelled (AppUnknown), or for a mistake of ours (LocalOther). What may pass is
// tried again: lines that break, and servers that fail (5xx) or are busy (429, 503), after the time that they ask for.
// The Answer is the last one.
func (d *Download) Run(ctx context.Context) (a sim.Answer, o sim.Outcome) {
	var line sim.Requester
	for failures := 0; ; {
		next := anew
		established := line != nil
		if line == nil {
			d.Count.Lines++
			a = sim.Answer{Size: -1}
			line, o = d.Open(ctx)
		}
		if line != nil {
			established = true
			a, o, next = d.request(ctx, line)
		} else if o == sim.AppUnknown || o == sim.LocalOther {
			next = done
		}
		if d.Progress.Bytes > d.furthest {
			d.furthest, failures = d.Progress.Bytes, 0
		}
		switch next {
		case done:
			return a, o
		case onAt:
			continue
		case anew:
			line = nil
		}
		failures++
		if !d.pause(ctx, failures, established, a.RetryAfter) {
			if errors.Is(ctx.Err(), context.Canceled) {
				o = sim.AppUnknown
			}
			return a, o
		}
	}
}

// request makes one request for what is not there yet.
func (d *Download) request(ctx context.Context, line sim.Requester) (a sim.Answer, o sim.Outcome, next step) {
	q, had := d.Request, d.Progress.Bytes
	if q.Offset = had; had > 0 {
		q.ETag = d.Progress.ETag
	}
	d.begun, d.strange = false, false
	d.Count.Requests++
	a, o = line.Request(ctx, &q, d.take)
	if o == sim.OK && a.Status == sim.OK && !d.begun && a.Code != 304 && a.Code != 203 {
		d.begin(&a) // an empty body
	}
	switch {
	case d.strange:
		d.restart()
		return a, sim.AppStopped, again
	case o == sim.AppStopped, o == sim.AppUnknown, o == sim.LocalOther:
		return a, o, done
	case o != sim.OK:
		return a, o, anew
	case a.Code == 416 && had > 0 && a.Size == had:
		return a, sim.OK, done // nothing is behind what is there
	case had > 0 && (a.Status == sim.HTTPClientError || a.Status == sim.CoAPClientError):
		d.restart() // it may be the offset that the peer does not like
		return a, a.Status, again
	case a.Status != sim.OK && passes(a.Status):
		return a, a.Status, again
	case a.Status != sim.OK:
		return a, a.Status, done
	case !d.begun, a.Size < 0, d.Progress.Bytes >= a.Size:
		return a, sim.OK, done
	case d.Progress.Bytes > had:
		return a, sim.OK, onAt // a part of what was asked for
	}
	d.restart() // a part that was there already, though another was asked for
	return a, sim.AppStopped, again
}

// passes reports whether the same request may be answered otherwise in a while.
func passes(o sim.Outcome) bool {
	switch o {
	case sim.HTTPTooMany, sim.HTTPUnavailable, sim.HTTPServerError,
		sim.CoAPTooMany, sim.CoAPUnavailable, sim.CoAPServerError, sim.CoAPIncomplete:
		return true
	}
	return false
}

// take is the [sim.Body] of all requests.
func (d *Download) take(a *sim.Answer, part []byte) error {
	if a.Status != sim.OK {
		return nil // a message about an error
	}
	d.Count.Fetched += int64(len(part))
	if !d.begun {
		d.begin(a)
	}
	if d.strange {
		d.Count.Repeated += int64(len(part))
		return errStrange
	}
	known := min(d.Progress.Bytes-a.Offset-a.Received, int64(len(part))) // begin has seen that there is no gap
	d.Count.Repeated += known
	if part = part[known:]; len(part) == 0 {
		return nil
	}
	if err := d.Write(d.Progress.Bytes, part); err != nil {
		d.Count.Repeated += int64(len(part))
		return err
	}
	d.Progress.Bytes += int64(len(part))
	return nil
}

// begin compares the answer with what is there.
func (d *Download) begin(a *sim.Answer) {
	d.begun = true
	p := &d.Progress
	same := a.ETag == p.ETag && (a.Size < 0 || a.Size >= p.Bytes) && (p.ETag != "" || a.Offset == p.Bytes)
	switch {
	case p.Bytes == 0 && a.Offset == 0:
	case same && a.Offset <= p.Bytes:
	case a.Offset > 0:
		d.strange = true
		return
	default:
		d.restart()
	}
	p.ETag, p.Size = a.ETag, a.Size
}

// restart gives up what is there.
func (d *Download) restart() {
	d.Count.Restarts++
	d.Count.Repeated += d.Progress.Bytes
	d.Progress = Progress{}
}

// pause waits before try n after the first and reports whether there is to be one.
func (d *Download) pause(ctx context.Context, n int, established bool, asked time.Duration) bool {
	draw := d.Draw
	if draw == nil {
		draw = func() float64 { return 0 }
	}
	delay, ok := d.Retry.Delay(n, established, draw)
	if !ok {
		return false
	}
	delay = max(delay, asked)
	if at, bounded := ctx.Deadline(); bounded {
		if left := time.Until(at); left <= delay {
			delay, ok = left, false // nobody else need tell of the deadline: see sim.Deadline
		}
	}
	if delay <= 0 {
		return ok && ctx.Err() == nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ok
	case <-ctx.Done():
		return false
	}
}
