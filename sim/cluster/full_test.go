package cluster

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// A stream that has filled may answer nothing at all. Workers that still ask it are waited for a little, whenever it
// filled, and without that until the deadline.
func TestD3_9_FinishDoesNotWaitForAFullStream(t *testing.T) {
	for _, c := range []struct {
		name        string
		full, takes time.Duration // since Finish was called
		says        string
	}{
		{"full before", -time.Minute, afterwards, "in time: the disk is full"},
		{"full meanwhile", 20 * time.Second, 20*time.Second + afterwards, "in time: the disk is full"},
		{"full at the deadline", 55 * time.Second, time.Minute, "in time: context deadline exceeded"},
		{"not full", time.Hour, time.Minute, "in time: context deadline exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				co := crowded(nil, nil)
				co.t0 = 0
				for i := range 3 {
					join(t, co, i, 100)
				}
				if c.full < 0 {
					co.fill(errors.New("no room"))
				} else {
					defer time.AfterFunc(c.full, func() { co.fill(errors.New("no room")) }).Stop()
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				since := time.Now()
				err := co.Finish(ctx)
				if took := time.Since(since); took != c.takes || err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("after %v, not %v: %v", took, c.takes, err)
				}
			})
		})
	}
}
