package specimen

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/session"
	"github.com/eclipse/paho.golang/paho/session/state"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// causeTimeout is how long the reason for a closed connection may come after the fact.
const causeTimeout = 100 * time.Millisecond

// PahoGolang opens conversations on eclipse/paho.golang, without its autopaho. It speaks MQTT 5: a
// binding of version 3.1.1 is LocalOther, and one without a version means 5. It may be used by many
// goroutines; its fields must not change after the first Dial, and it must not be copied.
type PahoGolang struct {
	Binding  sim.Binding
	Fleet    string   // its name, for {fleet} in the binding's texts
	DialConn DialConn // nil means TCP without TCP keep-alive

	sessions sessions[*pahoState]
}

// pahoState is the library's session state, which tells what enters and leaves it.
type pahoState struct {
	*state.State
	flight  *flight
	granted bool // the session has the subscriptions

	reading sync.Mutex
	lost    bool // there is no connection that the State could write an answer to
}

// ConAckReceived implements session.SessionManager.
func (s *pahoState) ConAckReceived(w io.Writer, cp *packets.Connect, ca *packets.Connack) error {
	if !ca.SessionPresent {
		s.flight.forget()
	}
	s.reading.Lock()
	s.lost = false
	s.reading.Unlock()
	return s.State.ConAckReceived(w, cp, ca)
}

// ConnectionLost implements session.SessionManager. It waits until no packet is handled and lets none
// be handled from then on: State would answer PUBREC on a connection that it has set to nil, which
// ends the process.
func (s *pahoState) ConnectionLost(p *packets.Disconnect) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	s.lost = true
	return s.State.ConnectionLost(p)
}

// AddToSession implements session.SessionManager.
func (s *pahoState) AddToSession(ctx context.Context, p session.Packet, resp chan<- packets.ControlPacket) error {
	err := s.State.AddToSession(ctx, p, resp)
	if m, ok := p.(*packets.Publish); ok && err == nil {
		s.flight.add(m.PacketID)
	}
	return err
}

// PacketReceived implements session.SessionManager.
func (s *pahoState) PacketReceived(p *packets.ControlPacket, to chan<- *packets.Publish) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.lost {
		return nil
	}
	err := s.State.PacketReceived(p, to)
	switch a := p.Content.(type) {
	case *packets.Puback:
		s.flight.answer(a.PacketID, mqtt.PubackOutcome(a.ReasonCode))
	case *packets.Pubrec:
		if o := mqtt.PubackOutcome(a.ReasonCode); o != sim.OK {
			s.flight.answer(a.PacketID, o)
		} else {
			s.flight.received(a.PacketID)
		}
	case *packets.Pubcomp:
		s.flight.answer(a.PacketID, sim.OK)
	}
	return err
}

type pahoGolangClient struct {
	client  *paho.Client
	flight  *flight
	timeout time.Duration
}

// Dial implements [sim.Dialer].
func (d *PahoGolang) Dial(ctx context.Context, caller *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	if v := d.Binding.Version; v != "" && v != "5" {
		return nil, sim.Facts{}, sim.LocalOther
	}
	called, timeout := time.Now(), connectTimeout(&d.Binding)
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := connect(limited, d.DialConn, caller)
	if err != nil {
		return nil, sim.Facts{}, mqtt.OutcomeOf(err)
	}
	facts := opened(conn, called)
	kept := d.sessions.get(caller.ID, d.Binding.Session > 0, func() *pahoState {
		return &pahoState{State: state.NewInMemory(), flight: newFlight()}
	})
	c := newConversation(conn, kept.flight, window(&d.Binding))
	kept.flight.begin(c)
	client := paho.NewClient(config(c, kept, timeout))
	c.lib = &pahoGolangClient{client: client, flight: kept.flight, timeout: timeout}
	n := names{caller.ID, d.Fleet}
	ca, err := client.Connect(limited, d.connect(n))
	if ca != nil {
		facts.Reason, facts.SessionPresent = ca.ReasonCode, ca.SessionPresent
		if ca.Properties != nil {
			facts.Redirect = ca.Properties.ServerReference
		}
	}
	if err != nil {
		conn.Close()
		if facts.Reason != 0 {
			return nil, facts, mqtt.ConnackOutcome(facts.Reason)
		}
		return nil, facts, dialed(ctx, err, sim.MQTTConnackTimeout)
	}
	if p := ca.Properties; p != nil && p.ReceiveMaximum != nil {
		c.window = min(c.window, int(*p.ReceiveMaximum))
	}
	o := sim.OK
	if !facts.SessionPresent || !kept.granted {
		o = subscribePahoGolang(limited, client, n.subscriptions(&d.Binding))
		kept.granted = o == sim.OK
	}
	if o != sim.OK {
		c.Close(false)
		if ctx.Err() == context.Canceled {
			o = sim.AppUnknown
		}
		return nil, facts, o
	}
	facts.Established = time.Now()
	facts.Interrupter = c
	return c, facts, sim.OK
}

func config(c *conversation, kept session.SessionManager, timeout time.Duration) paho.ClientConfig {
	return paho.ClientConfig{
		Conn:          threadSafe(c.conn),
		Session:       kept,
		PacketTimeout: timeout,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(r paho.PublishReceived) (bool, error) {
			m := r.Packet
			c.push(sim.Event{Kind: sim.EventInbound, Inbound: &sim.Inbound{Topic: []byte(m.Topic), Payload: m.Payload,
				QoS: m.QoS, Retained: m.Retain, Again: m.Duplicate()}})
			return true, nil
		}},
		OnServerDisconnect: func(p *paho.Disconnect) { c.fail(mqtt.DisconnectOutcome(p.ReasonCode)) },
		OnClientError: func(err error) {
			// The library closes its connection for a reason, and its reader may tell of that first.
			if errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
				time.AfterFunc(causeTimeout, func() { c.fail(sim.TCPClosed) })
				return
			}
			c.fail(lost(err))
		},
	}
}

// threadSafe is what the library asks of its user for connections but TCP's: it writes a packet in parts.
func threadSafe(conn net.Conn) net.Conn {
	if _, ok := conn.(*net.TCPConn); ok {
		return conn
	}
	return packets.NewThreadSafeConn(conn)
}

func (d *PahoGolang) connect(n names) *paho.Connect {
	b := &d.Binding
	cp := &paho.Connect{
		ClientID:   n.expand(cmp.Or(b.MQTT.ClientID, n.id)),
		CleanStart: b.Session == 0,
		KeepAlive:  uint16(keepAlive(b) / time.Second),
		Username:   n.expand(b.Security.Username),
		Password:   []byte(n.expand(b.Security.Password.Reveal())),
	}
	cp.UsernameFlag, cp.PasswordFlag = cp.Username != "", len(cp.Password) > 0
	if b.Session > 0 {
		expiry := wholeSeconds(b.Session)
		cp.Properties = &paho.ConnectProperties{SessionExpiryInterval: &expiry, RequestProblemInfo: true}
	}
	if w := b.MQTT.Will; w != nil {
		cp.WillMessage = &paho.WillMessage{Topic: n.expand(w.Topic), Payload: []byte(n.expand(w.Payload)),
			QoS: w.QoS, Retain: w.Retain}
		if w.Delay > 0 {
			delay := wholeSeconds(w.Delay)
			cp.WillProperties = &paho.WillProperties{WillDelayInterval: &delay}
		}
	}
	return cp
}

// wholeSeconds rounds d up.
func wholeSeconds(d sim.Duration) uint32 {
	return uint32(min((d.D()+time.Second-1)/time.Second, math.MaxUint32))
}

func subscribePahoGolang(ctx context.Context, client *paho.Client, list []sim.Subscription) sim.Outcome {
	if len(list) == 0 {
		return sim.OK
	}
	ask := new(paho.Subscribe)
	for _, s := range list {
		ask.Subscriptions = append(ask.Subscriptions, paho.SubscribeOptions{Topic: s.Filter, QoS: s.QoS})
	}
	ack, err := client.Subscribe(ctx, ask)
	switch {
	case ack != nil:
		for i, code := range ack.Reasons {
			if i >= len(list) {
				return sim.MQTTMalformed
			}
			if o := granted(code); o != sim.OK {
				return o
			}
		}
		return sim.OK
	case errors.Is(err, paho.ErrInvalidArguments):
		return sim.MQTTNotSubscribed // the server said in CONNACK that it does not have such
	case errors.Is(err, paho.ErrConnectionLost):
		return sim.TCPClosed
	}
	return dialed(ctx, err, sim.MQTTNotSubscribed)
}

func (p *pahoGolangClient) publish(m *sim.Message) sim.Outcome {
	ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
	defer cancel()
	p.flight.expect(numberOf(m))
	_, err := p.client.PublishWithOptions(ctx, &paho.Publish{QoS: m.QoS, Retain: m.Retain, Topic: m.Topic, Payload: m.Payload},
		paho.PublishOptions{Method: paho.PublishMethod_AsyncSend})
	m.ID = p.flight.identifier()
	switch {
	case err == nil:
		return sim.OK
	case errors.Is(err, paho.ErrInvalidArguments):
		return sim.MQTTPubackError // the server said in CONNACK that it does not take such
	case errors.Is(err, paho.ErrNetworkErrorAfterStored), errors.Is(err, session.ErrNoConnection):
		return sim.TCPClosed
	}
	return lost(err)
}

func (p *pahoGolangClient) stop(goodbye bool) {
	if goodbye {
		p.client.Disconnect(&paho.Disconnect{})
		return
	}
	<-p.client.Done() // its connection is closed, which it notices
}
