package device

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/skill"
)

// slow is a dialer whose calls take a second and fail.
type slow struct{}

func (slow) Dial(context.Context, *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	time.Sleep(time.Second)
	return nil, sim.Facts{}, sim.TCPRefused
}

// Calls at the same time each have a stack, later ones take those that are there, and none outlives the
// last device: a bubble does not end before its goroutines.
func TestCallers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := &Config{Shared: skill.Shared{Fleet: &sim.Fleet{Name: "f", Count: 100, Bindings: []sim.Binding{{Role: sim.RoleData}}}},
			Dialer: slow{}, Program: NewProgram()}
		used := map[*caller]int{}
		var mu sync.Mutex
		var all sync.WaitGroup
		for o := range sim.Ordinal(100) {
			c.callers.join()
			all.Go(func() {
				defer c.callers.leave()
				d := New(c, o, nil)
				for range 3 {
					by := c.callers.call(d, t.Context())
					if by.outcome != sim.TCPRefused || by.d != d || by.ended {
						t.Errorf("device %d: %+v", o, by.callResult)
					}
					mu.Lock()
					used[by]++
					mu.Unlock()
					c.callers.back(by)
				}
			})
		}
		all.Wait()
		if len(used) < 100 || len(used) > 100+2*(100-maxIdle) {
			t.Errorf("300 calls, 100 at a time, on %d stacks", len(used))
		}
	})
}

// A call is a context like any other: it ends once, whoever asks how, and tells who asked to be told.
func TestCallIsAContext(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := new(call)
		told := make(chan string, 4)
		stop := sim.AfterFunc(sim.Deadline{Context: c, At: time.Now()}, func() { told <- "no" })
		if !stop() || stop() {
			t.Error("stopped twice, or not once")
		}
		context.AfterFunc(c, func() { told <- "by the package" })
		never := sim.AfterFunc(c, func() { told <- "by itself" })
		child, cancel := context.WithCancel(c)
		defer cancel()
		if c.Err() != nil || child.Err() != nil {
			t.Error("it ended before its end")
		}
		c.mu.Lock()
		c.cancel()
		c.cancel()
		c.mu.Unlock()
		<-c.Done()
		<-child.Done()
		synctest.Wait()
		if len(told) != 2 || c.Err() != context.Canceled || never() {
			t.Errorf("%d were told, %v", len(told), c.Err())
		}
		sim.AfterFunc(c, func() { told <- "late" })
		synctest.Wait()
		if len(told) != 3 {
			t.Error("who comes late is not told")
		}
		if _, ok := c.Deadline(); ok || c.Value(0) != nil {
			t.Error("it has a deadline, or a value")
		}
	})
}
