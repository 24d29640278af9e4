package sim

import (
	"context"
	"time"
)

// Deadline is a context with a deadline but without a timer: Done is not closed when the deadline has passed,
// so whoever gets the context must read the deadline and check the clock. It is for connections, which take a
// deadline anyway: every device makes one each time that it calls, and a timer for each would be too much.
type Deadline struct {
	context.Context
	At time.Time
}

// Deadline implements context.Context.
func (d Deadline) Deadline() (time.Time, bool) { return d.At, true }

// AfterFunc calls f when the parent is done. [AfterFunc] and context.AfterFunc use it.
func (d Deadline) AfterFunc(f func()) (stop func() bool) { return AfterFunc(d.Context, f) }

// AfterFunc does what context.AfterFunc does, with fewer allocations if ctx has that method itself or is never
// done.
func AfterFunc(ctx context.Context, f func()) (stop func() bool) {
	if a, ok := ctx.(interface {
		AfterFunc(f func()) (stop func() bool)
	}); ok {
		return a.AfterFunc(f)
	}
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, f)
}
