package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// haste is how long after the first signal further ones are taken for the same: `timeout` and a terminal that closes
// send theirs to the process, and at once again to its group.
const haste = time.Second

// interruptible returns a context that ends at the first SIGINT, SIGTERM or SIGHUP, or when end is called. A signal
// that comes more than a second later ends the process at once. A SIGHUP that was ignored when the process began, as
// by nohup, stays so; a SIGINT does not, which shells ignore for what they start in the background. Until release is called, a write to a closed pipe is an error, and does not end the process.
func interruptible(parent context.Context) (ctx context.Context, end, release func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	// Nobody reads these: to ask for them is what makes a write fail, with EPIPE or EFBIG, instead.
	unread := make(chan os.Signal, 1)
	signal.Notify(unread, syscall.SIGPIPE, syscall.SIGXFSZ)
	done := make(chan struct{})
	go func() {
		var first time.Time
		for {
			select {
			case <-signals:
			case <-done:
				return
			}
			switch {
			case first.IsZero():
				first = time.Now()
				cancel()
			case time.Since(first) > haste:
				_, _ = os.Stderr.WriteString("myriad: ended at once. `myriad report build DIR` makes a report of what a run had shipped\n")
				os.Exit(exitInterrupted)
			}
		}
	}()
	return ctx, cancel, func() { signal.Stop(signals); signal.Stop(unread); close(done); cancel() }
}

// outlet is standard output or standard error of a run, which must not end a run when it fails: a pipe whose reader
// has gone, a terminal that was closed, a full disk. What is written after the first failure is dropped.
type outlet struct {
	w      io.Writer
	closed func()            // called once when the reader has gone; nil: nobody has to know
	hide   *strings.Replacer // takes secrets out; nil: there are none

	mu  sync.Mutex
	err error // of the first write that failed
}

// Write implements io.Writer. It never fails.
func (o *outlet) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return len(b), nil
	}
	if o.hide == nil {
		_, o.err = o.w.Write(b)
	} else {
		_, o.err = o.hide.WriteString(o.w, string(b))
	}
	if o.closed != nil && (errors.Is(o.err, syscall.EPIPE) || errors.Is(o.err, syscall.EIO)) {
		o.closed()
	}
	return len(b), nil
}

// isTerminal reports whether w is a character device, and CI has not asked for plain lines.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("CI") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func goVersion() string { return runtime.Version() }
