package mqtt

import (
	"bufio"
	"net"
	"sync"
	"time"
)

const (
	wireRead  = 16 << 10
	wireWrite = 16 << 10 // beyond it a Write waits for the kernel
)

// wire makes paho affordable for a probe. paho reads a packet in three or more pieces and writes
// every PUBACK alone, a system call each; wire reads ahead, and lets writes gather while the one
// before them is under way. It adds no delay on purpose: a broker with a window of 20 messages
// would turn each millisecond without a PUBACK into latency that is not its own.
type wire struct {
	net.Conn
	in   *bufio.Reader
	wake chan struct{} // something is in out
	done chan struct{}
	end  sync.Once

	spare chan []byte // holds the other buffer; who has it may write, which keeps the order

	mu  sync.Mutex
	out []byte
	err error // of an earlier write
}

func newWire(conn net.Conn) *wire {
	w := &wire{Conn: conn, in: bufio.NewReaderSize(conn, wireRead),
		wake: make(chan struct{}, 1), done: make(chan struct{}), spare: make(chan []byte, 1)}
	w.spare <- nil
	return w
}

// run writes what Write gathers, until Close.
func (w *wire) run() {
	for {
		select {
		case <-w.wake:
			w.flush()
		case <-w.done:
			return
		}
	}
}

func (w *wire) flush() error {
	spare := <-w.spare
	w.mu.Lock()
	out := w.out
	w.out = spare[:0]
	err := w.err
	w.mu.Unlock()
	if err == nil && len(out) > 0 {
		_, err = w.Conn.Write(out)
	}
	w.mu.Lock()
	w.err = err
	w.mu.Unlock()
	w.spare <- out
	return err
}

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) { return w.in.Read(p) }

// Write implements net.Conn. The error of a write that failed is returned by the next one.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	err := w.err
	if err == nil {
		w.out = append(w.out, p...)
	}
	full := len(w.out) >= wireWrite
	w.mu.Unlock()
	switch {
	case err != nil:
		return 0, err
	case full:
		return len(p), w.flush()
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return len(p), nil
}

// Close sends what is left, for at most a second, and closes the connection.
func (w *wire) Close() error {
	var err error
	w.end.Do(func() {
		w.Conn.SetWriteDeadline(time.Now().Add(closeTimeout))
		w.flush()
		err = w.Conn.Close()
		close(w.done)
	})
	return err
}
