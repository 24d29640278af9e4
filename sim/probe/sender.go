package probe

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// sender hands commands to one endpoint. Its conversation belongs to the goroutine of run.
type sender struct {
	operator *Operator
	endpoint string
	name     string // client identifier
	dialer   sim.Dialer

	mu        sync.Mutex
	jobs      []job // by due
	interrupt func()
	ended     bool

	sent  uint32               // messages so far
	open  map[uint32]sim.Stamp // sent, and the peer has not said that it has them; by their number among sent
	ready sim.Instant          // since when the next one could be sent
	buf   []byte
}

// queue takes jobs.
func (s *sender) queue(jobs []job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs = sorted(append(s.jobs, jobs...))
	if s.ended {
		s.abandon()
	}
	if s.interrupt != nil {
		s.interrupt()
	}
}

// abandon drops all jobs. The lock is held.
func (s *sender) abandon() {
	for i := range s.jobs {
		s.jobs[i].act.left.Done()
	}
	s.jobs = nil
}

func (s *sender) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.abandon()
}

// drop forgets what is left of an act.
func (s *sender) drop(act *commanding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs = slices.DeleteFunc(s.jobs, func(j job) bool {
		if j.act == act {
			act.left.Done()
		}
		return j.act == act
	})
}

// next takes the first job if it is due, and says how long until it is.
func (s *sender) next() (j job, due bool, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.jobs) == 0 {
		return j, false, time.Hour
	}
	j = s.jobs[0]
	if wait = j.due - s.operator.Clock.Now(); wait > 0 {
		return j, false, wait
	}
	s.jobs = slices.Delete(s.jobs, 0, 1)
	return j, true, 0
}

// run keeps a conversation with the endpoint until ctx ends, and calls reached when it has one, or when
// there will be none.
func (s *sender) run(ctx context.Context, reached func()) {
	defer reached()
	defer s.end()
	s.open = map[uint32]sim.Stamp{}
	for attempt := 0; ctx.Err() == nil; attempt++ {
		c, facts, outcome := s.dialer.Dial(ctx, &sim.Caller{ID: s.name, Endpoint: s.endpoint, Attempt: attempt})
		if outcome != sim.OK {
			s.refuse(outcome)
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		reached()
		s.hold(facts.Interrupter.Interrupt)
		stop := context.AfterFunc(ctx, facts.Interrupter.Interrupt)
		s.ready = s.operator.Clock.Now()
		s.serve(ctx, c)
		stop()
		s.hold(nil)
	}
}

func (s *sender) hold(interrupt func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interrupt = interrupt
}

// refuse lets everything that is due fail: the endpoint cannot be reached.
func (s *sender) refuse(outcome sim.Outcome) {
	for {
		j, due, _ := s.next()
		if !due {
			return
		}
		now := s.operator.Clock.Now()
		stamp := j.stamp(s.operator.RunID)
		s.operator.Book.Told(&stamp, now, now) // it could not be sent before
		s.operator.Book.Refused(&stamp, outcome, now)
		j.act.left.Done()
	}
}

// serve sends what is due until the conversation or ctx ends.
func (s *sender) serve(ctx context.Context, c sim.Conversation) {
	for ctx.Err() == nil {
		wait := time.Hour
		for room(c) {
			j, due, until := s.next()
			if !due {
				wait = until
				break
			}
			s.send(c, &j)
		}
		full := !room(c)
		e := c.Wait(time.Now().Add(wait))
		now := s.operator.Clock.Now()
		switch e.Kind {
		case sim.EventAcked:
			if stamp, ok := s.open[e.Seq]; ok {
				delete(s.open, e.Seq)
				s.operator.Book.Taken(&stamp, now)
			}
		case sim.EventFailed:
			stamp := s.open[e.Seq]
			delete(s.open, e.Seq)
			s.operator.Book.Refused(&stamp, e.Outcome, now)
		case sim.EventDown:
			for _, stamp := range s.open { // it is not sent again: an answer that comes twice would be our own doing
				s.operator.Book.Refused(&stamp, e.Outcome, now)
			}
			clear(s.open)
			return
		case sim.EventNone, sim.EventReceived, sim.EventInbound, sim.EventOversized:
		}
		if full && room(c) {
			s.ready = now
		}
	}
	c.Close(false)
}

func room(c sim.Conversation) bool {
	w, ok := c.(sim.Windowed)
	return !ok || w.Room() > 0
}

func (s *sender) send(c sim.Conversation, j *job) {
	defer j.act.left.Done()
	o, f := s.operator, j.act.fleet
	s.buf = j.payload(o.RunID, s.buf[:0])
	m := sim.Message{Seq: s.sent, Topic: f.Expand(j.act.topic, j.device), Payload: s.buf, QoS: j.act.qos}
	s.sent++
	stamp, now := j.stamp(o.RunID), o.Clock.Now()
	o.Book.Told(&stamp, s.ready, now)
	switch outcome := c.Publish(&m); {
	case outcome != sim.OK:
		o.Book.Refused(&stamp, outcome, o.Clock.Now())
	case m.QoS > 0:
		s.open[m.Seq] = stamp
	}
}
