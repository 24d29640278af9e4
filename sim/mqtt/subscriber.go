package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/myriad-iot/myriad/sim"
)

const (
	subscriberKeepAlive   = 60 * time.Second
	subscriberPingTimeout = 30 * time.Second // a frozen broker is the target's fault, not the probe's
	subscriberTimeout     = 10 * time.Second // for CONNACK and for SUBACK
	firstRetry            = 100 * time.Millisecond
	lastRetry             = 500 * time.Millisecond
)

// ErrRefused is the error of a subscription that the broker refused, or granted with a lower QoS.
var ErrRefused = errors.New("subscription refused")

// Subscriber listens at the far end with MQTT 3.1.1. Its fields must not change during Run.
type Subscriber struct {
	Endpoint  string // host:port
	ClientID  string
	Session   bool // persistent: the broker keeps what comes while the subscriber is away
	Reconnect bool // go on after a failed or lost connection, until ctx ends
	Filters   []string
	QoS       byte

	// OnMessage is called for one message after the other, in the order they arrived; the broker
	// gets its PUBACK when it returns. payload may be kept. It runs in a goroutine of its own, not
	// in that of OnUp and OnDown, and on a resumed session messages may come before OnUp.
	OnMessage func(topic string, payload []byte, at time.Time, dup bool)

	// OnUp, if set, is called each time the subscriptions stand: the broker has granted every
	// filter, or has resumed the session in which it did.
	OnUp func(sessionPresent bool)

	// OnDown, if set, is called when a connection that was up is lost.
	OnDown func(err error)

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
		up, err := s.session(ctx, granted)
		if up {
			granted, retry = true, firstRetry
			if err != nil && s.OnDown != nil {
				s.OnDown(err)
			}
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

// session connects, subscribes and waits until the connection is lost or ctx ends. up reports
// whether the subscriptions stood; err is nil if ctx ended then. Every session is a new paho client,
// because paho's own reconnection completes the tokens of what was lost.
func (s *Subscriber) session(ctx context.Context, granted bool) (up bool, err error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return false, fmt.Errorf("subscribe at %s: %w", s.Endpoint, err)
	}
	w, lost := newWire(conn), make(chan error, 1)
	client := paho.NewClient(s.options(w, lost))
	var writer sync.WaitGroup
	writer.Go(w.run)
	defer func() {
		client.Disconnect(uint(2 * closeTimeout / time.Millisecond))
		w.Close()
		writer.Wait()
	}()
	token := client.Connect()
	select {
	case <-token.Done():
	case <-ctx.Done():
		w.Close() // ends the wait for CONNACK
		<-token.Done()
	}
	if err := token.Error(); err != nil {
		return false, fmt.Errorf("subscribe at %s: %w", s.Endpoint, err)
	}
	present := token.(*paho.ConnectToken).SessionPresent()
	if !present || !granted {
		if err := s.subscribe(ctx, client, lost); err != nil {
			return false, fmt.Errorf("subscribe at %s: %w", s.Endpoint, err)
		}
	}
	if s.OnUp != nil {
		s.OnUp(present)
	}
	select {
	case err := <-lost:
		return true, fmt.Errorf("subscription at %s: %w", s.Endpoint, err)
	case <-ctx.Done():
		return true, nil
	}
}

func (s *Subscriber) options(conn net.Conn, lost chan<- error) *paho.ClientOptions {
	return paho.NewClientOptions().
		AddBroker("tcp://" + s.Endpoint).
		SetClientID(s.ClientID).
		SetProtocolVersion(4). // or paho tries 3.1 as well
		SetCleanSession(!s.Session).
		SetAutoReconnect(false).
		SetOrderMatters(true).
		SetKeepAlive(subscriberKeepAlive).
		SetPingTimeout(subscriberPingTimeout).
		SetConnectTimeout(subscriberTimeout).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return conn, nil }).
		SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err }).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
			s.OnMessage(m.Topic(), m.Payload(), time.Now(), m.Duplicate())
		})
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

// subscribe returns nil if the broker's SUBACK grants every filter with the QoS that was asked.
func (s *Subscriber) subscribe(ctx context.Context, client paho.Client, lost <-chan error) error {
	filters := make(map[string]byte, len(s.Filters))
	for _, f := range s.Filters {
		filters[f] = s.QoS
	}
	token := client.SubscribeMultiple(filters, nil)
	select {
	case <-token.Done():
	case err := <-lost:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(subscriberTimeout):
		return errors.New("no suback")
	}
	if err := token.Error(); err != nil {
		return err
	}
	codes := token.(*paho.SubscribeToken).Result()
	for _, f := range s.Filters {
		switch code, ok := codes[f]; {
		case !ok:
			return errors.New("no suback") // the token of a lost connection
		case code >= 0x80:
			return fmt.Errorf("%w: %q", ErrRefused, f)
		case code < s.QoS:
			return fmt.Errorf("%w: %q with QoS %d: granted QoS %d", ErrRefused, f, s.QoS, code)
		}
	}
	return nil
}

// forget takes the persistent session away: a clean session of the same client ends it (MQTT-3.1.2-6).
func (s *Subscriber) forget() {
	d := Dialer{Binding: sim.Binding{ConnectTimeout: sim.Duration(closeTimeout)}}
	d.DialConn = func(ctx context.Context, _ string, _ sim.Ordinal) (net.Conn, error) { return s.dial(ctx) }
	c, _, outcome := d.Dial(context.Background(), &sim.Caller{ID: s.ClientID, Endpoint: s.Endpoint})
	if outcome == sim.OK {
		c.Close(false)
	}
}
