package fleet_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

const (
	// quick and slow are how long a message and its answer take together. Reports are due at whole milliseconds,
	// so that no answer comes at the instant of something else.
	quick = 1_234_567 * time.Nanosecond
	slow  = 151_234_567 * time.Nanosecond
	// moment is how long it takes until a service is down, up or frozen, for the same reason.
	moment = 411_522 * time.Nanosecond
)

// logTarget is a broker and a CoAP server that answer everything after a trip, and write down what devices do.
type logTarget struct {
	t0       time.Time
	trip     time.Duration
	trace    *trace
	services map[sim.Channel]*logService
}

// logService is one of the two.
type logService struct {
	target *logTarget

	mu       sync.Mutex
	down     bool
	thawed   chan struct{} // not nil: it is frozen, until this is closed
	sessions map[who]*logSession
	lines    map[*logLine]bool
}

// who is a device.
type who struct {
	fleet  int
	device sim.Ordinal
}

// logSession is what a service keeps of a device.
type logSession struct {
	ids     uint16      // packet identifiers used so far
	waiting []sim.Event // messages for the device that it has not read
}

func newTarget(trip time.Duration, tr *trace) *logTarget {
	t := &logTarget{t0: time.Now(), trip: trip, trace: tr, services: make(map[sim.Channel]*logService)}
	for _, c := range []sim.Channel{sim.ChannelMQTT, sim.ChannelCoAP} {
		t.services[c] = &logService{target: t, sessions: make(map[who]*logSession), lines: make(map[*logLine]bool)}
	}
	return t
}

func (t *logTarget) now() sim.Instant { return time.Since(t.t0) }

// endpoints are three of each scheme, to see which device calls which.
func (t *logTarget) endpoints() sim.Endpoints {
	e := make(sim.Endpoints)
	for _, s := range sim.Schemes() {
		for i := range 3 {
			e[s] = append(e[s], fmt.Sprintf("target-%d:%s", i, s.Port()))
		}
	}
	return e
}

// handle breaks "broker" and "coap".
func (t *logTarget) handle(name string) (sim.Handle, error) {
	switch name {
	case "broker":
		return t.services[sim.ChannelMQTT], nil
	case "coap":
		return t.services[sim.ChannelCoAP], nil
	}
	return nil, fmt.Errorf("there is no service %q", name)
}

// tell sends a message to a device that is connected, or whose session is kept.
func (t *logTarget) tell(fleet int, o sim.Ordinal, c sim.Channel, m sim.Inbound) {
	s := t.services[c]
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.sessions[who{fleet, o}]
	if s.down || kept == nil {
		return
	}
	kept.waiting = append(kept.waiting, sim.Event{Kind: sim.EventInbound, At: time.Now().Add(t.trip / 2), Inbound: &m})
	for l := range s.lines {
		if l.session == kept {
			l.Interrupt()
		}
	}
}

// Down implements [sim.Handle]. Sessions outlive an orderly stop.
func (s *logService) Down(_ context.Context, kill bool) error {
	time.Sleep(moment)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = true
	if kill {
		clear(s.sessions)
	}
	for l := range s.lines {
		l.broken = true
		l.Interrupt()
	}
	return nil
}

// Up implements [sim.Handle].
func (s *logService) Up(context.Context) error {
	time.Sleep(moment)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = false
	return nil
}

// Freeze implements [sim.Handle]. What came meanwhile is answered a trip after the end.
func (s *logService) Freeze(_ context.Context, on bool) error {
	time.Sleep(moment)
	s.mu.Lock()
	defer s.mu.Unlock()
	if on {
		s.thawed = make(chan struct{})
		return nil
	}
	close(s.thawed)
	s.thawed = nil
	for l := range s.lines {
		l.delay(time.Now().Add(s.target.trip))
		l.Interrupt()
	}
	return nil
}

// reach returns when the service has answered a call, or has not.
func (s *logService) reach(ctx context.Context, timeout time.Duration) sim.Outcome {
	end := time.After(timeout)
	for answered := time.After(s.target.trip); ; {
		select {
		case <-answered:
		case <-ctx.Done():
			return sim.AppUnknown
		case <-end:
			return sim.MQTTConnackTimeout
		}
		s.mu.Lock()
		thawed, down := s.thawed, s.down
		s.mu.Unlock()
		switch {
		case down:
			return sim.TCPRefused
		case thawed == nil:
			return sim.OK
		}
		select {
		case <-thawed:
			answered = time.After(s.target.trip)
		case <-ctx.Done():
			return sim.AppUnknown
		case <-end:
			return sim.MQTTConnackTimeout
		}
	}
}
