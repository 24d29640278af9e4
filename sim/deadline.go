package sim

import (
	"context"
	"time"
)

// Deadline is a context that says when it is too late, and leaves it to who is given it to look at the
// clock: its Done does not tell, and it has no timer. Connections know deadlines, and every device makes
// one each time that it calls.
type Deadline struct {
	context.Context
	At time.Time
}

// Deadline implements context.Context.
func (d Deadline) Deadline() (time.Time, bool) { return d.At, true }

// AfterFunc is what [AfterFunc] and context.AfterFunc use: the parent's.
func (d Deadline) AfterFunc(f func()) (stop func() bool) { return AfterFunc(d.Context, f) }

// AfterFunc is context.AfterFunc without its detour where ctx has that method itself, or is never done.
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
