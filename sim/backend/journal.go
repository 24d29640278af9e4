package backend

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// recordSize is the length of a journal record: wall time in nanoseconds since 1970 (8), run (4),
// fleet (2), device (4), seq (4), due in microseconds (6), all big-endian. It is far below
// PIPE_BUF, so that a pipe takes a record whole or not at all.
const recordSize = 28

// record is one message that a service accepted.
type record struct {
	at    int64 // wall clock, nanoseconds since 1970
	stamp sim.Stamp
}

func (r *record) encode(b *[recordSize]byte) {
	binary.BigEndian.PutUint64(b[0:], uint64(r.at))
	binary.BigEndian.PutUint32(b[8:], r.stamp.Run)
	binary.BigEndian.PutUint16(b[12:], r.stamp.Fleet)
	binary.BigEndian.PutUint32(b[14:], uint32(r.stamp.Device))
	binary.BigEndian.PutUint32(b[18:], r.stamp.Seq)
	due := uint64(r.stamp.Due / time.Microsecond)
	binary.BigEndian.PutUint16(b[22:], uint16(due>>32))
	binary.BigEndian.PutUint32(b[24:], uint32(due))
}

// decodeRecord reads the record at the head of b, which holds at least recordSize bytes.
func decodeRecord(b []byte) record {
	due := uint64(binary.BigEndian.Uint16(b[22:]))<<32 | uint64(binary.BigEndian.Uint32(b[24:]))
	return record{
		at: int64(binary.BigEndian.Uint64(b[0:])),
		stamp: sim.Stamp{
			Run:    binary.BigEndian.Uint32(b[8:]),
			Fleet:  binary.BigEndian.Uint16(b[12:]),
			Device: sim.Ordinal(binary.BigEndian.Uint32(b[14:])),
			Seq:    binary.BigEndian.Uint32(b[18:]),
			Due:    sim.Instant(due) * time.Microsecond,
		},
	}
}

// journal writes records. One write per record and no buffer: what note returned for is in the
// pipe, whatever becomes of the process. (Measured: 0.6 us a record; the wake-up of the reader is
// what costs, and the reader saves it by reading seldom.) The zero journal drops everything.
type journal struct {
	w      io.Writer     // nil: nobody wants to know
	failed chan struct{} // closed by the first failed write; nil if w is

	mu  sync.Mutex
	err error
	buf [recordSize]byte
}

func newJournal(w io.Writer) *journal {
	if w == nil {
		return &journal{}
	}
	return &journal{w: w, failed: make(chan struct{})}
}

// note records that a message with this payload was accepted now. A payload without a stamp is
// nobody's message and leaves no record. After an error nothing may be acknowledged any more.
func (j *journal) note(payload []byte) error {
	if j.w == nil {
		return nil
	}
	stamp, ok := sim.FindStamp(payload)
	if !ok {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	r := record{at: time.Now().UnixNano(), stamp: stamp}
	r.encode(&j.buf)
	if _, err := j.w.Write(j.buf[:]); err != nil {
		j.err = fmt.Errorf("journal: %w", err)
		close(j.failed)
		return j.err
	}
	return nil
}

// cause is the error that closed failed.
func (j *journal) cause() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// A reader that takes what is there and then waits a little is woken once in readPause instead of
// once per message. The pipe holds 1 MiB where the kernel allows it, 37,000 records, and 64 KiB or
// 2,300 records otherwise.
const (
	readPause  = 5 * time.Millisecond
	readBuffer = 64 << 10
	pipeSize   = 1 << 20
)

// readJournal passes the records in r to w until r ends. The instant of a record is reckoned back
// from the present: clock.Now() - (wall now - record's wall time).
func readJournal(r io.Reader, w sim.Witness, clock sim.Clock) error {
	buf := make([]byte, readBuffer)
	have := 0
	for {
		n, err := r.Read(buf[have:])
		have += n
		whole := have - have%recordSize
		if whole > 0 {
			offset := wallOffset(clock)
			for b := buf[:whole]; len(b) > 0; b = b[recordSize:] {
				rec := decodeRecord(b)
				w.See(sim.Sighting{Stamp: rec.stamp, At: sim.Instant(rec.at) - offset, Stored: true})
			}
			have = copy(buf, buf[whole:have])
		}
		switch {
		case err == io.EOF && have > 0:
			return fmt.Errorf("journal: %d bytes of a record at the end", have)
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("journal: %w", err)
		case n < len(buf)/2:
			time.Sleep(readPause)
		}
	}
}

// wallOffset is the wall clock minus the run's clock, in nanoseconds. The run's clock is read
// between two readings of the wall clock; the tightest of a few brackets is taken, so that being
// preempted in between does not count. Half the bracket bounds the error: about 100 ns as a rule.
func wallOffset(clock sim.Clock) sim.Instant {
	best, offset := time.Duration(-1), sim.Instant(0)
	for range 4 {
		before := time.Now()
		now := clock.Now()
		width := time.Since(before)
		if best < 0 || width < best {
			best, offset = width, sim.Instant(before.UnixNano()+int64(width/2))-now
		}
		if best < 2*time.Microsecond {
			break
		}
	}
	return offset
}
