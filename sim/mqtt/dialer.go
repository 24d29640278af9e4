package mqtt

import (
	"cmp"
	"context"
	"math"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

const (
	defaultKeepAlive      = 60 * time.Second
	defaultConnectTimeout = 10 * time.Second
	defaultInflight       = 20
)

// Dialer opens the conversations of one binding. It may be used by many goroutines; its fields
// must not change after the first Dial, and it must not be copied.
type Dialer struct {
	Binding sim.Binding
	Fleet   string // its name, for {fleet} in the binding's texts

	// DialConn connects the transport until ctx is done or its deadline, for which it has to look: it is a
	// [sim.Deadline]. Nil means TCP with TCP_NODELAY and without TCP keep-alive, so that MQTT's own is what
	// notices a dead peer. A conn that implements [sim.Handshaker] says what its handshake was.
	DialConn func(ctx context.Context, c *sim.Caller) (net.Conn, error)

	pool pool
	kept sync.Map // client identifier -> kept
}

// Dial implements [sim.Dialer]. It subscribes to the filters of the binding, and returns when the server
// has granted them. It does not subscribe if the server resumed a session that has the subscriptions; the
// first call of a device always subscribes, because a session may be older than the run. A subscription that
// is granted with a lower QoS is in Facts.Granted. A refused one is MQTTNotSubscribed or MQTTNotAuthorized, one without an answer MQTTNotSubscribed. The
// binding's connect timeout is for all of that together; without a CONNACK by then the outcome is
// MQTTConnackTimeout. When ctx is cancelled the outcome is AppUnknown. Facts.Opened comes from the
// transport if that has a method Opened() time.Time; otherwise it is when DialConn returned, or when
// DialConn was called if the transport has a handshake.
func (d *Dialer) Dial(ctx context.Context, caller *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	var facts sim.Facts
	version, ok := wireVersion(d.Binding.Version)
	if !ok {
		return nil, facts, sim.LocalOther
	}
	called := time.Now()
	deadline := called.Add(d.connectTimeout())
	conn, err := d.connect(ctx, deadline, caller)
	if err != nil {
		return nil, facts, OutcomeOf(err)
	}
	facts.Opened = time.Now()
	if h, ok := conn.(sim.Handshaker); ok {
		facts.Opened = called
		facts.Secured, facts.Resumed = h.Handshake()
	}
	if o, ok := conn.(interface{ Opened() time.Time }); ok {
		facts.Opened = o.Opened()
	}
	c := newConversation(d, conn, version == 5)
	c.id = caller.ID
	outcome := d.handshake(ctx, deadline, c, caller, &facts)
	if outcome != sim.OK {
		c.Close(false)
		return nil, facts, outcome
	}
	facts.Interrupter = c
	return c, facts, sim.OK
}

func (d *Dialer) connect(ctx context.Context, deadline time.Time, caller *sim.Caller) (net.Conn, error) {
	if d.DialConn != nil {
		return d.DialConn(sim.Deadline{Context: ctx, At: deadline}, caller)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	tcp := net.Dialer{KeepAlive: -1}
	return tcp.DialContext(ctx, "tcp", caller.Endpoint)
}

// handshake sends CONNECT, reads CONNACK and subscribes. It leaves expired or expiring deadlines on the
// connection, which Publish and Wait replace before they use it.
func (d *Dialer) handshake(ctx context.Context, deadline time.Time, c *conversation, caller *sim.Caller,
	facts *sim.Facts) sim.Outcome {
	if err := c.conn.SetDeadline(deadline); err != nil {
		return OutcomeOf(err)
	}
	moved := make(chan struct{})
	stop := sim.AfterFunc(ctx, func() {
		c.conn.SetDeadline(time.Unix(1, 0))
		close(moved)
	})
	defer func() {
		if !stop() {
			<-moved
		}
	}()
	silence := sim.MQTTConnackTimeout
	outcome := sim.OK
	err := d.sendConnect(c, caller)
	var body []byte
	if err == nil {
		body, err = c.readConnack()
	}
	if err == nil {
		silence = sim.MQTTNotSubscribed
		outcome, err = d.join(c, body, caller, facts)
	}
	switch {
	case err == nil:
		facts.Established = time.Now()
		return outcome
	case isTimeout(err) && ctx.Err() == context.Canceled:
		return sim.AppUnknown
	case isTimeout(err):
		return silence
	}
	return OutcomeOf(err)
}

// join applies the CONNACK and subscribes.
func (d *Dialer) join(c *conversation, connack []byte, caller *sim.Caller, facts *sim.Facts) (sim.Outcome, error) {
	outcome := c.establish(connack, d.Binding.Session == 0, facts)
	list := d.subscriptions(caller)
	if outcome != sim.OK || len(list) == 0 {
		return outcome, nil
	}
	e := c.rare()
	if c.v5 {
		e.accepts = d.Binding.MQTT.TopicAliases
	}
	if c.resumed && !e.denied && caller.Attempt > 0 {
		return sim.OK, nil
	}
	e.denied = true
	outcome, err := c.subscribe(list, facts)
	e.denied = outcome != sim.OK || err != nil
	facts.Redirect = cmp.Or(e.redirect, facts.Redirect)
	return outcome, err
}

func (d *Dialer) sendConnect(c *conversation, caller *sim.Caller) error {
	s := d.pool.get()
	defer d.pool.put(s)
	p := &s.packet
	p.FixedHeader.Type = packets.Connect
	p.ProtocolVersion = 4
	p.Connect.ProtocolName = []byte("MQTT")
	p.Connect.ClientIdentifier = d.expand(cmp.Or(d.Binding.MQTT.ClientID, caller.ID), caller)
	p.Connect.Clean = d.Binding.Session == 0
	p.Connect.Keepalive = uint16(seconds(d.keepAlive(), math.MaxUint16)) // 0 is off
	if c.v5 {
		p.ProtocolVersion = 5
		p.Properties.MaximumPacketSize = uint32(d.maxPacket())
		if d.Binding.Session > 0 {
			p.Properties.SessionExpiryIntervalFlag = true
			p.Properties.SessionExpiryInterval = uint32(seconds(d.Binding.Session.D(), math.MaxUint32))
		}
		if d.listens() {
			p.Properties.ReceiveMaximum = receiveMaximum
			p.Properties.TopicAliasMaximum = uint16(min(d.Binding.MQTT.TopicAliases, math.MaxUint16))
		}
	}
	d.introduce(&p.Connect, caller)
	if err := p.ConnectEncode(&s.out); err != nil {
		return err
	}
	c.sentAt = time.Now()
	_, err := c.conn.Write(s.out.Bytes())
	return err
}

// introduce sets the user name, the password and the will of the CONNECT.
func (d *Dialer) introduce(p *packets.ConnectParams, caller *sim.Caller) {
	if s := &d.Binding.Security; s.Username != "" || s.Password != (sim.Secret{}) {
		p.UsernameFlag, p.Username = true, []byte(d.expand(s.Username, caller)) // MQTT-3.1.2-22
		p.PasswordFlag, p.Password = s.Password != (sim.Secret{}), []byte(d.expand(s.Password.Reveal(), caller))
	}
	if w := d.Binding.MQTT.Will; w != nil {
		p.WillFlag, p.WillQos, p.WillRetain = true, w.QoS, w.Retain
		p.WillTopic, p.WillPayload = d.expand(w.Topic, caller), []byte(d.expand(w.Payload, caller))
		p.WillProperties.WillDelayInterval = uint32(seconds(w.Delay.D(), math.MaxUint32))
	}
}

// expand replaces {id} and {fleet} by the caller's names.
func (d *Dialer) expand(text string, caller *sim.Caller) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return strings.NewReplacer("{id}", caller.ID, "{fleet}", d.Fleet).Replace(text)
}

func (d *Dialer) listens() bool {
	return len(d.Binding.MQTT.Subscribe) > 0
}

func (d *Dialer) connectTimeout() time.Duration {
	if t := d.Binding.ConnectTimeout.D(); t > 0 {
		return t
	}
	return defaultConnectTimeout
}

func (d *Dialer) keepAlive() time.Duration {
	switch k := d.Binding.KeepAlive.D(); {
	case k > 0:
		return min(k, math.MaxUint16*time.Second)
	case k < 0:
		return 0
	}
	return defaultKeepAlive
}

func (d *Dialer) maxPacket() int {
	if n := d.Binding.MQTT.MaxPacket; n > 0 {
		return min(n, maxSize)
	}
	return defaultMaxPacket
}

func (d *Dialer) window() int {
	if n := d.Binding.Inflight; n > 0 {
		return min(n, math.MaxUint16)
	}
	return defaultInflight
}

// seconds rounds d up, at most limit.
func seconds(d time.Duration, limit int64) int64 {
	return min(int64((d+time.Second-1)/time.Second), limit)
}

// wireVersion is the protocol level of a binding's version.
func wireVersion(version string) (byte, bool) {
	switch version {
	case "", "3.1.1":
		return 4, true
	case "5":
		return 5, true
	}
	return 0, false
}
