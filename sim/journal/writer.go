package journal

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// gatherSize is how many bytes are gathered at most, in whole records.
const gatherSize = 32 << 10 / recordSize * recordSize

// Writer writes records. Unless it gathers records, it writes each at once and has no buffer: when Note has
// returned, the record is in the pipe, even if the process is killed then. (Measured: 0.6 us a record. Waking the
// reader is what costs; the reader avoids it with a pause after each read.) The zero Writer drops everything.
// Its methods may be called from any goroutine.
type Writer struct {
	w      io.Writer     // nil: nobody wants to know
	gather time.Duration // how long a record may be kept; 0: not at all
	failed chan struct{} // closed by the first failed write; nil if w is

	mu    sync.Mutex
	err   error
	buf   []byte
	timer *time.Timer // flushes what was gathered; nil if nothing ever was
}

// NewWriter returns a Writer to w; with nil it drops everything. It may keep a record for up to gather, so that
// one write takes several; if gather is not 0, call Flush at the end.
func NewWriter(w io.Writer, gather time.Duration) *Writer {
	if w == nil {
		return &Writer{}
	}
	size := recordSize
	if gather > 0 {
		size = gatherSize
	}
	return &Writer{w: w, gather: gather, failed: make(chan struct{}), buf: make([]byte, 0, size)}
}

// Note records that a message with this payload was accepted now. A payload without a stamp makes no record.
// After an error the service must acknowledge no more messages.
func (j *Writer) Note(payload []byte) error {
	if j.w == nil {
		return nil
	}
	stamp, ok := sim.FindStamp(payload)
	if !ok {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.add(record{at: time.Now().UnixNano(), stamp: stamp})
}

// Stall records that this process did not run from one instant to another. A record of it has the wall clock below
// zero, as no message's has: what a stranger sends cannot look like one. Errors are those of Note.
func (j *Writer) Stall(from, to time.Time) {
	if j.w == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.add(record{at: -to.UnixNano(), stamp: sim.Stamp{Due: to.Sub(from)}})
}

// Clock is the wall clock as a sim.Clock, for sightings that go to a Writer.
type Clock struct{}

// Now is the time since 1970.
func (Clock) Now() sim.Instant { return sim.Instant(time.Now().UnixNano()) }

// See implements sim.Witness; instants are those of a Clock, and Stored is not written. What cannot be
// written closes Failed.
func (j *Writer) See(s sim.Sighting) {
	if j.w == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.add(record{at: int64(s.At), stamp: s.Stamp})
}

func (j *Writer) add(r record) error {
	if j.err != nil {
		return j.err
	}
	j.buf = r.append(j.buf)
	if j.gather <= 0 || len(j.buf) == cap(j.buf) {
		return j.flush()
	}
	if len(j.buf) == recordSize {
		if j.timer == nil {
			j.timer = time.AfterFunc(j.gather, func() { _ = j.Flush() })
		} else {
			j.timer.Reset(j.gather)
		}
	}
	return nil
}

// Flush writes what was gathered.
func (j *Writer) Flush() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.flush()
}

func (j *Writer) flush() error {
	if j.timer != nil {
		j.timer.Stop()
	}
	if j.err != nil || len(j.buf) == 0 {
		return j.err
	}
	_, err := j.w.Write(j.buf)
	j.buf = j.buf[:0]
	if err != nil {
		j.err = fmt.Errorf("journal: %w", err)
		close(j.failed)
	}
	return j.err
}

// Failed is closed by the first failed write. It is nil if nothing is written.
func (j *Writer) Failed() <-chan struct{} { return j.failed }

// Err is the error that closed Failed.
func (j *Writer) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}
