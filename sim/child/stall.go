package child

import (
	"context"
	"time"
)

const (
	stallEvery = 50 * time.Millisecond // how often is looked
	leastStall = 30 * time.Millisecond // what is later than that is told
)

// Stalls calls told each time this process did not run for a while, until ctx ends: it was stopped, its threads
// got no CPU, or its goroutines did not come to their turn. from and to enclose that time, up to 50 ms too widely;
// 30 ms and less are not told. It blocks, and it calls told from its own goroutine.
func Stalls(ctx context.Context, told func(from, to time.Time)) {
	StallsOver(ctx, stallEvery, leastStall, told)
}

// StallsOver is Stalls that looks each time that every has passed, and tells what is later than least.
func StallsOver(ctx context.Context, every, least time.Duration, told func(from, to time.Time)) {
	Each(ctx, every, func(last, now time.Time) {
		if now.Sub(last) > every+least {
			told(last, now)
		}
	})
}

// Each calls f each time that every has passed, until ctx ends, with when it was called last, which is longer ago if
// this process did not run for a while. It blocks, and it calls f from its own goroutine.
func Each(ctx context.Context, every time.Duration, f func(last, now time.Time)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		f(last, now)
		last = now
	}
}
