package mqtt

import (
	"bufio"
	"net"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

const (
	wireRead  = 16 << 10
	wireWrite = 16 << 10 // beyond it a Write waits for the kernel

	// PUBACKs may linger until there are wireAcks of them, or for wireLinger.
	wireAcks   = 8
	wireLinger = time.Millisecond
)

// wire makes paho affordable for a probe. paho reads a packet in three or more pieces and writes
// every PUBACK alone, a system call each; wire reads ahead, and lets a few PUBACKs gather: fewer
// than half of the smallest window in use (20 messages), because a broker with a full window would
// turn the wait into latency that is not its own. Everything else leaves at once, in order.
type wire struct {
	net.Conn
	in   *bufio.Reader
	wake chan struct{} // something in out must leave
	soon chan struct{} // a first PUBACK is in out
	done chan struct{}
	end  sync.Once

	spare chan []byte // holds the other buffer; who has it may write, which keeps the order

	mu   sync.Mutex
	out  []byte
	acks int   // PUBACKs in out
	err  error // of an earlier write
}

func newWire(conn net.Conn) *wire {
	w := &wire{Conn: conn, in: bufio.NewReaderSize(conn, wireRead),
		wake: make(chan struct{}, 1), soon: make(chan struct{}, 1), done: make(chan struct{}), spare: make(chan []byte, 1)}
	w.spare <- nil
	return w
}

// run writes what Write gathers, until Close.
func (w *wire) run() {
	linger := time.NewTimer(wireLinger)
	defer linger.Stop()
	for {
		select {
		case <-w.soon:
			linger.Reset(wireLinger)
		case <-linger.C:
			w.flush()
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
	w.acks = 0
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
	full, signal := len(w.out) >= wireWrite, w.wake
	if len(p) == 4 && p[0] == packets.Puback<<4 {
		switch w.acks++; {
		case w.acks == 1:
			signal = w.soon
		case w.acks < wireAcks:
			signal = nil
		}
	}
	w.mu.Unlock()
	switch {
	case err != nil:
		return 0, err
	case full:
		return len(p), w.flush()
	}
	select {
	case signal <- struct{}{}:
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
