package backend

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// The meter tells what the processes of a service use together, and nothing of one that is down.
func TestMeter(t *testing.T) {
	tg := &Target{Command: childCommand(), Brokers: 2}
	if _, err := tg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tg.Stop(context.WithoutCancel(t.Context())) }()
	ctx, enough := context.WithCancel(t.Context())
	uses := make(chan sim.Use, 100)
	var metering sync.WaitGroup
	metering.Go(func() {
		if err := tg.Meter(ctx, "broker", func(u sim.Use) { uses <- u }); err != nil {
			t.Error(err)
		}
	})
	defer metering.Wait()
	defer enough()
	next := func() sim.Use {
		select {
		case u := <-uses:
			return u
		case <-time.After(10 * time.Second):
			t.Fatal("the meter says nothing")
		}
		return sim.Use{}
	}
	if u := next(); u.Memory < 2<<20 {
		t.Errorf("two processes hold %d bytes", u.Memory)
	}
	h, err := tg.Handle("broker")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Down(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for len(uses) > 0 {
		<-uses
	}
	next()
	if u := next(); u != (sim.Use{}) {
		t.Errorf("a service that is down uses %+v", u)
	}
	if err := tg.Meter(ctx, "coap", nil); err == nil || !strings.Contains(err.Error(), `no service "coap"`) {
		t.Errorf("a service that is not there: %v", err)
	}
}
