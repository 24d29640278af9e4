package mqtt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// listening is a subscription on a conversation of our own: one goroutine, and nothing allocated
// for a message. A probe hears every message of a fleet, so what it costs is paid once per publish.
type listening struct {
	s    *Subscriber
	c    *conversation
	in   *bufio.Reader // reads ahead of c.in
	tcp  quickAcker    // nil if PUBACKs must not linger
	ack  quickAcker    // the same, or the TCP below what the connection is; nil if there is none
	took bool          // something came that no PUBACK answers, and the kernel was not told to acknowledge it
	acks []byte        // PUBACKs that have not left
	most int           // bytes of acks there ever were before some left
	by   time.Time     // when the first of acks must leave
	ping bool          // no PINGRESP yet
	till time.Time     // for PINGRESP
}

// quickAcker is a TCP connection that is acknowledged without being answered. A broker that does not turn
// Nagle's algorithm off, as Mosquitto does not, holds a message back until the one before is.
type quickAcker interface{ QuickAck() error }

// linger is how long a PUBACK may wait for others.
const linger = 10 * time.Millisecond

// readBuffer is how much is read ahead, in bytes.
const readBuffer = 16 << 10

// readAhead is a connection whose reads are buffered.
type readAhead struct {
	net.Conn
	in *bufio.Reader
}

// Read implements net.Conn.
func (r readAhead) Read(p []byte) (int, error) { return r.in.Read(p) }

// listen connects, subscribes and delivers until the connection is lost or ctx ends. up reports
// whether the subscriptions stood; err is nil if ctx ended then.
func (s *Subscriber) listen(ctx context.Context, granted bool) (up bool, err error) {
	l := &listening{s: s}
	d := Dialer{Binding: sim.Binding{
		KeepAlive: sim.Duration(subscriberKeepAlive), ConnectTimeout: sim.Duration(subscriberTimeout),
		Security: s.Login.Security(),
		MQTT:     sim.MQTT{MaxPacket: maxSize}, // the limit of a device is none of the far end's
	}}
	if s.Session {
		d.Binding.Session = sim.Duration(time.Hour) // any: 3.1.1 knows only that there is one
	}
	d.DialConn = func(ctx context.Context, _ *sim.Caller) (net.Conn, error) {
		conn, err := s.dial(ctx)
		if err != nil {
			return nil, err
		}
		l.in = bufio.NewReaderSize(conn, readBuffer)
		l.tcp, _ = conn.(quickAcker)
		l.ack = quickAckerOf(conn)
		return readAhead{conn, l.in}, nil
	}
	conv, facts, outcome := d.Dial(ctx, &sim.Caller{ID: s.ClientID, Endpoint: s.Endpoint})
	if outcome != sim.OK {
		return false, fmt.Errorf("subscribe at %s: %w", s.Endpoint, failure(outcome))
	}
	l.c = conv.(*conversation)
	defer l.c.Close(false)
	defer l.acknowledge()
	defer context.AfterFunc(ctx, l.c.Interrupt)()
	if !facts.SessionPresent || !granted {
		if err := l.subscribe(ctx); err != nil {
			return false, fmt.Errorf("subscribe at %s: %w", s.Endpoint, err)
		}
	}
	if s.OnUp != nil {
		s.OnUp(facts.SessionPresent)
	}
	for {
		if _, _, err := l.next(ctx, time.Time{}); ctx.Err() != nil {
			return true, nil
		} else if err != nil {
			return true, fmt.Errorf("subscription at %s: %w", s.Endpoint, err)
		}
	}
}

// quickAckerOf is the TCP connection of conn, which may be below TLS; nil if there is none that can do it.
func quickAckerOf(conn net.Conn) quickAcker {
	for conn != nil {
		if q, ok := conn.(quickAcker); ok {
			return q
		}
		over, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		conn = over.NetConn()
	}
	return nil
}

// perSubscribe is how many filters go in one SUBSCRIBE: brokers bound the size of a packet.
const perSubscribe = 256

// subscribe returns nil if the SUBACKs grant every filter.
func (l *listening) subscribe(ctx context.Context) error {
	for list := range slices.Chunk(l.s.Filters, perSubscribe) {
		if err := l.subscribeTo(ctx, list); err != nil {
			return err
		}
	}
	return nil
}

func (l *listening) subscribeTo(ctx context.Context, filters []string) error {
	sc := l.c.pool.get()
	sc.packet.FixedHeader = packets.FixedHeader{Type: packets.Subscribe, Qos: 1}
	sc.packet.ProtocolVersion, sc.packet.PacketID = 4, 1
	for _, f := range filters {
		sc.packet.Filters = append(sc.packet.Filters, packets.Subscription{Filter: f, Qos: l.s.QoS})
	}
	err := sc.packet.SubscribeEncode(&sc.out)
	if err == nil {
		l.c.send(sc.out.Bytes())
	}
	l.c.pool.put(sc)
	if err != nil {
		return err
	}
	l.c.in.legal |= 1 << packets.Suback
	by := time.Now().Add(subscriberTimeout)
	for {
		head, body, err := l.next(ctx, by)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case isTimeout(err):
			return errors.New("no suback")
		case err != nil:
			return err
		case head != packets.Suback:
			continue
		case len(body) != 2+len(filters):
			return errMalformed
		}
		for i, f := range filters {
			if err := l.s.judge(f, body[2+i]); err != nil {
				return err
			}
		}
		return nil
	}
}

// next takes one packet and serves it, waiting for it no longer than by; zero is no limit. A SUBACK
// is the caller's.
func (l *listening) next(ctx context.Context, by time.Time) (kind byte, body []byte, err error) {
	for {
		head, body, ok, err := l.c.in.packet()
		switch {
		case err != nil:
			return 0, nil, err
		case !ok:
			if err := l.fill(ctx, by); err != nil {
				return 0, nil, err
			}
			continue
		}
		switch head.Type {
		case packets.Publish:
			err = l.deliver(&head, body)
		case packets.Pingresp:
			l.ping = false
		case packets.Disconnect:
			err = errMalformed // 3.1.1: only clients send it
		case packets.Pubrec, packets.Pubrel, packets.Pubcomp:
			err = errMalformed // nothing here has QoS 2
		}
		return head.Type, body, err
	}
}

// settled sends PUBACKs, unless they may wait for others with which they share a write: for linger, and
// as long as they are no more than half of what this broker was seen to have under way unacknowledged.
// One with a full window never waits for them, so that the wait is no latency; one whose window is a
// single message is answered at once.
func (l *listening) settled(now time.Time) {
	l.most = max(l.most, len(l.acks))
	if l.tcp == nil || 2*len(l.acks) > l.most || !now.Before(l.by) || l.tcp.QuickAck() != nil {
		l.acknowledge()
	}
}

func (l *listening) acknowledge() {
	if len(l.acks) > 0 {
		l.c.send(l.acks)
		l.acks = l.acks[:0]
	}
}

// fill reads on. What was acknowledged leaves before it may have to wait for the broker: the
// PUBACKs of all that came in one read go in one write.
func (l *listening) fill(ctx context.Context, by time.Time) error {
	if l.in.Buffered() > 0 {
		return l.c.in.fill(l.c.conn)
	}
	switch {
	case len(l.acks) > 0:
		l.settled(time.Now())
	case l.took && l.ack != nil:
		_ = l.ack.QuickAck() // what is not acknowledged so is acknowledged later
	}
	l.took = false
	if l.c.down != sim.OK {
		return errors.New(l.c.down.String())
	}
	until := l.c.sentAt.Add(subscriberKeepAlive)
	if l.ping {
		until = l.till
	}
	if !by.IsZero() && by.Before(until) {
		until = by
	}
	if len(l.acks) > 0 && l.by.Before(until) {
		until = l.by
	}
	// The deadline comes before the look at ctx, and the interrupt's the other way round: one of
	// the two sees the other.
	if err := l.c.conn.SetReadDeadline(until); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err := l.c.in.fill(l.c.conn)
	if !isTimeout(err) || ctx.Err() != nil || !by.IsZero() && !time.Now().Before(by) {
		return err
	}
	switch {
	case len(l.acks) > 0: // the next fill sends them
		return nil
	case l.ping:
		return ErrSilent
	}
	l.ping, l.till = true, time.Now().Add(subscriberPingTimeout)
	l.c.send(pingreq())
	return nil
}

// deliver hands a PUBLISH (3.1.1 section 3.3) to OnMessage. The few bytes before the payload are cut
// by hand because mochi's decoder makes a string of every topic.
func (l *listening) deliver(head *packets.FixedHeader, body []byte) error {
	if len(body) < 2 {
		return errMalformed
	}
	n := int(body[0])<<8 | int(body[1])
	if n == 0 || len(body) < 2+n {
		return errMalformed
	}
	topic, rest := body[2:2+n], body[2+n:]
	var id []byte
	if head.Qos > 0 {
		if len(rest) < 2 || head.Qos > 1 {
			return errMalformed // a subscription of QoS 1 is never served with QoS 2
		}
		id, rest = rest[:2], rest[2:]
	}
	at := time.Now()
	l.took = true
	l.s.OnMessage(topic, rest, at, head.Dup, head.Retain)
	if id != nil {
		if len(l.acks) == 0 {
			l.by = at.Add(linger)
		}
		l.acks = append(l.acks, packets.Puback<<4, 2, id[0], id[1])
	}
	return nil
}
