package journal

import (
	"fmt"
	"io"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// A reader that takes what is there and then waits a little is woken once in readPause instead of
// once per message. A pipe of 1 MiB holds 37,000 records, one of 64 KiB 2,300.
const (
	readPause  = 5 * time.Millisecond
	readBuffer = 64 << 10
)

// StallWitness is told when the process that writes did not run; see [Writer.Stall].
type StallWitness interface{ Stalled(from, to sim.Instant) }

// Read passes the records in r to w until r ends, as sightings with Stored as given. The instant of a
// record is reckoned back from the present: clock.Now() - (wall now - record's wall time). A sighting
// comes up to 5 ms after its record was written. If w is a [StallWitness], it is told of stalls too.
func Read(r io.Reader, w sim.Witness, clock sim.Clock, stored bool) error {
	buf := make([]byte, readBuffer)
	have := 0
	for {
		n, err := r.Read(buf[have:])
		have += n
		whole := have - have%recordSize
		if whole > 0 {
			offset := wallOffset(clock)
			for b := buf[:whole]; len(b) > 0; b = b[recordSize:] {
				rec := decode(b)
				if rec.at < 0 {
					if told, ok := w.(StallWitness); ok {
						to := sim.Instant(-rec.at) - offset
						told.Stalled(to-rec.stamp.Due, to)
					}
					continue
				}
				w.See(sim.Sighting{Stamp: rec.stamp, At: sim.Instant(rec.at) - offset, Stored: stored})
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

// Direct returns what a [Writer] without gathering writes to when its reader is in the same process: w sees each
// message before Note returns. The instant is the one that Note was called at, by the clock.
func Direct(w sim.Witness, clock sim.Clock, stored bool) io.Writer {
	return direct{w, clock, stored}
}

type direct struct {
	w      sim.Witness
	clock  sim.Clock
	stored bool
}

// Write implements io.Writer; p is whole records.
func (d direct) Write(p []byte) (int, error) {
	offset := wallOffset(d.clock)
	for b := p; len(b) >= recordSize; b = b[recordSize:] {
		if rec := decode(b); rec.at >= 0 {
			d.w.See(sim.Sighting{Stamp: rec.stamp, At: sim.Instant(rec.at) - offset, Stored: d.stored})
		}
	}
	return len(p), nil
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
