package http

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

const (
	readSize  = 4 << 10 // of the reader's buffer; parts of a body go past it
	writeSize = 1 << 10 // of the writer's; a long body goes past it
	partSize  = 8 << 10 // of a body
	maxHead   = 16 << 10
)

var errHead = errors.New("http: the head is too long")

// wire is the connection of a line while a request goes over it. It implements io.Reader and io.Writer.
type wire struct {
	conn    net.Conn
	until   time.Time     // when the request has to be over; zero: never
	silence time.Duration // the longest that a read or a write may take
	room    int           // bytes that a head may still have; below 0 none is being read
	heard   bool          // of this request's answer
	failed  error         // of the connection
	cut     atomic.Bool   // the context was cancelled
}

// begin makes the wire ready for a request.
func (w *wire) begin(ctx context.Context, silence time.Duration) {
	w.until, _ = ctx.Deadline()
	w.silence, w.room, w.heard, w.failed = silence, maxHead, false, nil
	w.cut.Store(false)
}

// cancel ends the read or the write that is going on, and those that would follow. It may be called from
// any goroutine.
func (w *wire) cancel() {
	w.cut.Store(true)
	_ = w.conn.SetDeadline(time.Unix(1, 0)) // fails only after Close
}

// deadline is that of the next read or write.
func (w *wire) deadline() time.Time {
	at := time.Now().Add(w.silence)
	if !w.until.IsZero() && w.until.Before(at) {
		return w.until
	}
	return at
}

// Read implements io.Reader. While a head is read it is bounded.
func (w *wire) Read(p []byte) (int, error) {
	if w.room == 0 {
		return 0, w.note(errHead)
	}
	if w.room > 0 {
		p = p[:min(len(p), w.room)]
	}
	// The deadline comes before the look at the flag, and cancel's the other way round: one of the two
	// sees the other.
	err := w.conn.SetReadDeadline(w.deadline())
	if errors.Is(err, io.ErrClosedPipe) {
		err = nil // net.Pipe says it of a peer that has closed; the read will say EOF
	}
	if w.cut.Load() {
		err = context.Canceled
	}
	n := 0
	if err == nil {
		n, err = w.conn.Read(p)
	}
	if n > 0 {
		w.heard = true
	}
	if w.room > 0 {
		w.room -= n
	}
	return n, w.note(err)
}

// Write implements io.Writer.
func (w *wire) Write(p []byte) (int, error) {
	err := w.conn.SetWriteDeadline(w.deadline())
	if w.cut.Load() {
		err = context.Canceled
	}
	if err != nil {
		return 0, w.note(err)
	}
	n, err := w.conn.Write(p)
	return n, w.note(err)
}

func (w *wire) note(err error) error {
	if err != nil && w.cut.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
		err = context.Canceled
	}
	if err != nil {
		w.failed = err
	}
	return err
}

// watch makes the end of ctx the end of what goes on; release ends that, and nothing of it is left then.
func (w *wire) watch(ctx context.Context) (release func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	moved := make(chan struct{})
	stop := sim.AfterFunc(ctx, func() {
		w.cancel()
		close(moved)
	})
	return func() {
		if !stop() {
			<-moved
		}
	}
}

// buffer is what a request borrows.
type buffer struct {
	in   *bufio.Reader
	out  *bufio.Writer
	part [partSize]byte
}

// buffers lends them to all lines of an opener. The zero value is ready.
type buffers struct{ free sync.Pool }

func (b *buffers) get(w *wire) *buffer {
	s, ok := b.free.Get().(*buffer)
	if !ok {
		s = &buffer{in: bufio.NewReaderSize(nil, readSize), out: bufio.NewWriterSize(nil, writeSize)}
	}
	s.in.Reset(w)
	s.out.Reset(w)
	return s
}

func (b *buffers) put(s *buffer) {
	s.in.Reset(nil)
	s.out.Reset(nil)
	b.free.Put(s)
}
