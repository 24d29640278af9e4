package mqtt

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

func TestInterrupt(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c, ended := dialed(t, sim.Binding{KeepAlive: sim.Duration(time.Hour)}, packets.Properties{}, func(p *peer) { p.read() })
		// Before the wait, twice: one wait returns, the next lasts.
		c.Interrupt()
		c.Interrupt()
		began := time.Now()
		wantEvent(t, c.Wait(after(time.Minute)), sim.EventNone, 0, sim.OK)
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
		wantEvent(t, c.Wait(after(time.Second)), sim.EventNone, 0, sim.OK)
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v", took)
		}
		// In the middle, and the same deadline again.
		deadline := after(30 * time.Second)
		time.AfterFunc(time.Second, c.Interrupt)
		wantEvent(t, c.Wait(deadline), sim.EventNone, 0, sim.OK)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %v", took)
		}
		wantEvent(t, c.Wait(deadline), sim.EventNone, 0, sim.OK)
		if !time.Now().Equal(deadline) {
			t.Errorf("woke at %v, want %v", time.Now(), deadline)
		}
		// An Interrupt that was slow to move the deadline, its flag already taken.
		deadline = after(30 * time.Second)
		time.AfterFunc(time.Second, func() { c.conn.SetReadDeadline(time.Unix(1, 0)) })
		wantEvent(t, c.Wait(deadline), sim.EventNone, 0, sim.OK)
		if !time.Now().Equal(deadline) {
			t.Errorf("woke at %v, want %v", time.Now(), deadline)
		}
		c.Close(true)
		<-ended
	})
}

// Every post made before an Interrupt is found after the Wait that it ends. A lost interrupt would
// leave both sides waiting for each other until the deadline.
func TestInterruptRace(t *testing.T) {
	t.Run("pipe", func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		hammer(t, ours)
	})
	t.Run("tcp", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // and with it the connection that nobody accepts
		ours, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		hammer(t, ours)
	})
}

func hammer(t *testing.T, conn net.Conn) {
	const rounds = 20_000
	c := established(&Dialer{}, conn)
	defer c.Close(true)
	var posted atomic.Int32
	taken := make(chan struct{}, 1)
	var poster sync.WaitGroup
	poster.Go(func() {
		for range rounds {
			posted.Add(1)
			c.Interrupt()
			<-taken
		}
	})
	deadline := time.Now().Add(time.Minute)
	for seen := int32(0); seen < rounds; {
		e := c.Wait(deadline)
		if e.Kind != sim.EventNone || time.Now().After(deadline) {
			t.Fatalf("%+v after %d interrupts", e, seen)
		}
		if posted.Load() > seen {
			seen++
			taken <- struct{}{}
		}
	}
	poster.Wait()
}
