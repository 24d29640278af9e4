package backend

import (
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// lateWills are the wills with a delay (MQTT 5 section 3.1.3.2.2). They are ours: mochi keeps such a will also when its
// client was back before the old connection had ended, publishes it with a session that has expired, and sends none in
// virtual time, where its loop does not run.
//
// The zero value is ready. Its timers run until end.
type lateWills struct {
	left sync.Map // *mochi.Client -> mochi.Will, of those connected

	mu     sync.Mutex
	gone   map[string]*lateWill // by client identifier
	ended  bool
	saying sync.WaitGroup
}

// lateWill is that of a client that is gone.
type lateWill struct {
	will  mochi.Will
	timer *time.Timer
}

// take takes a client's will from mochi when it connects, if it has a delay, and forgets that of its last connection.
func (l *lateWills) take(cl *mochi.Client) {
	l.mu.Lock()
	if w := l.gone[cl.ID]; w != nil {
		w.timer.Stop()
		delete(l.gone, cl.ID)
	}
	l.mu.Unlock()
	switch will := &cl.Properties.Will; {
	case will.WillDelayInterval == 0:
	case cl.Properties.Props.SessionExpiryInterval == 0:
		will.WillDelayInterval = 0 // the session ends with the connection, and so does the delay
	default:
		l.left.Store(cl, *will)
		*will = mochi.Will{}
	}
}

// part begins a will's delay when a connection has ended without a DISCONNECT. mochi has made it no longer than the
// session.
func (l *lateWills) part(cl *mochi.Client, s *mochi.Server, goodbye bool) {
	w, ok := l.left.LoadAndDelete(cl)
	if !ok || goodbye {
		return
	}
	will := w.(mochi.Will)
	delay := time.Duration(will.WillDelayInterval) * time.Second
	l.mu.Lock()
	defer l.mu.Unlock()
	// One that has taken the session over is among the clients before it is welcomed, and take comes after that.
	if now, ok := s.Clients.Get(cl.ID); l.ended || ok && now != cl && !now.Closed() {
		return
	}
	late := &lateWill{will: will}
	if l.gone == nil {
		l.gone = make(map[string]*lateWill)
	}
	l.gone[cl.ID] = late
	late.timer = time.AfterFunc(delay, func() { l.say(cl.ID, late, s) })
}

// say publishes a will, unless its client has come back.
func (l *lateWills) say(id string, late *lateWill, s *mochi.Server) {
	l.mu.Lock()
	if l.ended || l.gone[id] != late {
		l.mu.Unlock()
		return
	}
	delete(l.gone, id)
	l.saying.Add(1)
	l.mu.Unlock()
	defer l.saying.Done()
	w := &late.will
	err := s.InjectPacket(s.NewClient(nil, mochi.LocalListener, id, true), packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: w.Qos, Retain: w.Retain},
		PacketID:    1, // none would be a mistake; nobody is answered
		TopicName:   w.TopicName, Payload: w.Payload, Properties: packets.Properties{User: w.User},
	})
	if err != nil {
		s.Log.Error("a will was not published", "client", id, "error", err)
	}
}

// end forgets all of them, and returns when none is being published.
func (l *lateWills) end() {
	l.mu.Lock()
	l.ended = true
	for _, w := range l.gone {
		w.timer.Stop()
	}
	clear(l.gone)
	l.mu.Unlock()
	l.saying.Wait()
}
