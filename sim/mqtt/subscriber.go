package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

const (
	subscriberKeepAlive   = 60 * time.Second
	subscriberPingTimeout = 30 * time.Second // a frozen broker is the target's fault, not the probe's
	subscriberTimeout     = 10 * time.Second // for CONNACK and for SUBACK
	firstRetry            = 100 * time.Millisecond
	lastRetry             = 500 * time.Millisecond
)

// ErrSilent is the error of a connection on which nothing came, not even the answer to a ping: since when it
// was broken is not known.
var ErrSilent = errors.New("no pingresp")

// ErrRefused is the error of a subscription that the broker refused.
var ErrRefused = errors.New("subscription refused")

// Subscriber listens at the far end with MQTT 3.1.1. Its fields must not change during Run.
type Subscriber struct {
	Endpoint  string // host:port
	ClientID  string
	Login     sim.Login
	Session   bool // persistent: the broker keeps what comes while the subscriber is away
	Reconnect bool // go on after a failed or lost connection, until ctx ends
	Filters   []string
	QoS       byte

	// OnMessage is called for one message after the other, in the order they arrived; the broker
	// gets its PUBACK after it returns. topic and payload are valid during the call. It need not run
	// in the goroutine of OnUp and OnDown, and on a resumed session messages may come before OnUp.
	// retained says that the broker had kept the message and sent it because of the subscription: nobody
	// published it just now (MQTT-3.3.1-8 and -9).
	OnMessage func(topic, payload []byte, at time.Time, dup, retained bool)

	// OnUp, if set, is called each time the subscriptions stand: the broker has granted every
	// filter, or has resumed the session in which it did.
	OnUp func(sessionPresent bool)

	// OnGrant, if set, is called for each filter with the QoS that the broker granted, which may be lower than
	// what was asked for (MQTT-3.8.4-7).
	OnGrant func(filter string, qos byte)

	// OnDown, if set, is called when a connection that was up is lost.
	OnDown func(err error)

	// OnRetry, if set, is called when an attempt to come back after that has failed.
	OnRetry func(err error)

	DialConn func(ctx context.Context, endpoint string) (net.Conn, error) // nil means TCP
}

// Run subscribes and delivers until ctx ends, and returns after all that it started has ended. It
// returns nil if the subscriptions ever stood; ErrRefused ends it at once, and so does any other
// failure without Reconnect. A persistent session is removed from the broker in the end, where it
// would gather messages for ever; a broker that does not answer is given a second for it.
func (s *Subscriber) Run(ctx context.Context) error {
	if s.Session {
		defer s.forget()
	}
	var granted bool // in this run: only then a resumed session is known to hold every filter
	retry := firstRetry
	for {
		up, err := s.listen(ctx, granted)
		if up {
			granted, retry = true, firstRetry
			if err != nil && s.OnDown != nil {
				s.OnDown(err)
			}
		} else if granted && ctx.Err() == nil && s.OnRetry != nil {
			s.OnRetry(err)
		}
		switch {
		case ctx.Err() != nil && granted:
			return nil
		case ctx.Err() != nil, !s.Reconnect, errors.Is(err, ErrRefused):
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
		retry = min(2*retry, lastRetry)
	}
}

func (s *Subscriber) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, subscriberTimeout)
	defer cancel()
	if s.DialConn != nil {
		return s.DialConn(ctx, s.Endpoint)
	}
	var tcp net.Dialer
	return tcp.DialContext(ctx, "tcp", s.Endpoint)
}

// judge returns nil if code, of a SUBACK, grants the filter.
func (s *Subscriber) judge(filter string, code byte) error {
	if code >= 0x80 {
		return fmt.Errorf("%w: %q", ErrRefused, filter)
	}
	if s.OnGrant != nil {
		s.OnGrant(filter, code)
	}
	return nil
}

// forget takes the persistent session away: a clean session of the same client ends it (MQTT-3.1.2-6).
func (s *Subscriber) forget() {
	d := Dialer{Binding: sim.Binding{ConnectTimeout: sim.Duration(closeTimeout), Security: s.Login.Security()}}
	d.DialConn = func(ctx context.Context, _ *sim.Caller) (net.Conn, error) { return s.dial(ctx) }
	c, _, outcome := d.Dial(context.Background(), &sim.Caller{ID: s.ClientID, Endpoint: s.Endpoint})
	if outcome == sim.OK {
		c.Close(false)
	}
}
