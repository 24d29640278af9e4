package specimen

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// quiesce is how long paho may take to say goodbye.
const quiesce = 250 * time.Millisecond

// Paho opens conversations on eclipse/paho.mqtt.golang, which speaks MQTT 3.1.1: a binding of another
// version is LocalOther. It may be used by many goroutines; its fields must not change after the first
// Dial, and it must not be copied.
type Paho struct {
	Binding  sim.Binding
	Fleet    string   // its name, for {fleet} in the binding's texts
	DialConn DialConn // nil means TCP without TCP keep-alive

	sessions sessions[*pahoStore]
}

// pahoStore is paho's default store, which tells when a message enters and leaves it.
type pahoStore struct {
	*paho.MemoryStore
	flight  *flight
	granted bool // the session has the subscriptions
}

// Put implements paho.Store.
func (s *pahoStore) Put(key string, p packets.ControlPacket) {
	s.MemoryStore.Put(key, p)
	if m, ok := p.(*packets.PublishPacket); ok && strings.HasPrefix(key, "o.") {
		s.flight.add(m.MessageID)
	}
}

// Del implements paho.Store. What is outbound leaves when its PUBACK or PUBCOMP was read.
func (s *pahoStore) Del(key string) {
	s.MemoryStore.Del(key)
	if digits, ok := strings.CutPrefix(key, "o."); ok {
		if id, err := strconv.ParseUint(digits, 10, 16); err == nil {
			s.flight.answer(uint16(id), sim.OK)
		}
	}
}

type pahoClient struct {
	client paho.Client
	flight *flight
}

// Dial implements [sim.Dialer].
func (d *Paho) Dial(ctx context.Context, caller *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	if v := d.Binding.Version; v != "" && v != "3.1.1" {
		return nil, sim.Facts{}, sim.LocalOther
	}
	called := time.Now()
	deadline := called.Add(connectTimeout(&d.Binding))
	limited, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err := connect(limited, d.DialConn, caller)
	if err != nil {
		return nil, sim.Facts{}, mqtt.OutcomeOf(err)
	}
	facts := opened(conn, called)
	store := d.sessions.get(caller.ID, d.Binding.Session > 0, func() *pahoStore {
		return &pahoStore{MemoryStore: paho.NewMemoryStore(), flight: newFlight()}
	})
	c := newConversation(conn, store.flight, window(&d.Binding))
	store.flight.begin(c)
	n := names{caller.ID, d.Fleet}
	client := paho.NewClient(d.options(c, n, caller, store, time.Until(deadline)))
	c.lib = &pahoClient{client: client, flight: store.flight}

	stop := context.AfterFunc(ctx, func() { conn.Close() }) // ends the wait for CONNACK
	token := client.Connect().(*paho.ConnectToken)
	<-token.Done()
	code := token.ReturnCode()
	if err := token.Error(); err != nil {
		stop()
		conn.Close()
		if code >= 1 && code <= 5 {
			facts.Reason = code
			return nil, facts, mqtt.ConnackOutcome(code)
		}
		return nil, facts, dialed(ctx, err, sim.MQTTConnackTimeout)
	}
	facts.SessionPresent = token.SessionPresent()
	outcome := sim.OK
	if !facts.SessionPresent || !store.granted {
		outcome = subscribePaho(limited, client, n.subscriptions(&d.Binding))
		store.granted = outcome == sim.OK
	}
	if !stop() {
		outcome = sim.AppUnknown
	}
	if outcome != sim.OK {
		c.Close(false)
		return nil, facts, outcome
	}
	facts.Established = time.Now()
	facts.Interrupter = c
	return c, facts, sim.OK
}

func (d *Paho) options(c *conversation, n names, caller *sim.Caller, store paho.Store,
	timeout time.Duration) *paho.ClientOptions {
	b := &d.Binding
	o := paho.NewClientOptions().
		AddBroker("tcp://" + caller.Endpoint).
		SetClientID(n.expand(cmp.Or(b.MQTT.ClientID, n.id))).
		SetProtocolVersion(4). // or paho tries 3.1 as well
		SetCleanSession(b.Session == 0).
		SetStore(store).
		SetAutoReconnect(false).
		SetKeepAlive(keepAlive(b)).
		SetPingTimeout(min(maxPing, keepAlive(b))).
		SetConnectTimeout(timeout).
		SetWriteTimeout(connectTimeout(b)).
		SetUsername(n.expand(b.Security.Username)).
		SetPassword(n.expand(b.Security.Password.Reveal())).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return c.conn, nil }).
		SetConnectionLostHandler(func(_ paho.Client, err error) { c.fail(lost(err)) }).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
			c.push(sim.Event{Kind: sim.EventInbound, Inbound: &sim.Inbound{Topic: []byte(m.Topic()), Payload: m.Payload(),
				QoS: m.Qos(), Retained: m.Retained(), Again: m.Duplicate()}})
		})
	if w := b.MQTT.Will; w != nil {
		o.SetBinaryWill(n.expand(w.Topic), []byte(n.expand(w.Payload)), w.QoS, w.Retain)
	}
	return o
}

func subscribePaho(ctx context.Context, client paho.Client, list []sim.Subscription) sim.Outcome {
	if len(list) == 0 {
		return sim.OK
	}
	filters := make(map[string]byte, len(list))
	for _, s := range list {
		filters[s.Filter] = s.QoS
	}
	token := client.SubscribeMultiple(filters, nil).(*paho.SubscribeToken)
	select {
	case <-token.Done():
	case <-ctx.Done():
		return sim.MQTTNotSubscribed
	}
	if err := token.Error(); err != nil {
		return lost(err)
	}
	for _, code := range token.Result() {
		if o := granted(code); o != sim.OK {
			return o
		}
	}
	return sim.OK
}

// publish copies the payload, for paho writes it later and keeps it.
func (p *pahoClient) publish(m *sim.Message) sim.Outcome {
	p.flight.expect(numberOf(m))
	token := p.client.Publish(m.Topic, m.QoS, m.Retain, append([]byte(nil), m.Payload...))
	m.ID = p.flight.identifier()
	select {
	case <-token.Done(): // before anything could be answered: an error of paho itself
		if err := token.Error(); err != nil {
			if o := mqtt.OutcomeOf(err); o != sim.LocalOther {
				return o
			}
			return sim.TCPClosed // not connected any more, or the writer is stuck
		}
	default:
	}
	return sim.OK
}

func (p *pahoClient) stop(bool) { p.client.Disconnect(uint(quiesce / time.Millisecond)) }
