package mqtt

import (
	"context"
	"math"
	"net"
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

	// DialConn connects the transport within ctx. Nil means TCP with TCP_NODELAY and without TCP
	// keep-alive, so that MQTT's own is what notices a dead peer.
	DialConn func(ctx context.Context, endpoint string, o sim.Ordinal) (net.Conn, error)

	pool pool
}

// Dial implements [sim.Dialer]. The binding's connect timeout covers all of it; a CONNACK that
// comes later is MQTTConnackTimeout. When ctx is cancelled the outcome is AppUnknown.
func (d *Dialer) Dial(ctx context.Context, caller *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	var facts sim.Facts
	version, ok := wireVersion(d.Binding.Version)
	if !ok {
		return nil, facts, sim.LocalOther
	}
	deadline := time.Now().Add(d.connectTimeout())
	conn, err := d.connect(ctx, deadline, caller)
	if err != nil {
		return nil, facts, OutcomeOf(err)
	}
	facts.Opened = time.Now()
	c := newConversation(d, conn, version == 5)
	outcome := d.handshake(ctx, deadline, c, caller.ID, &facts)
	if outcome != sim.OK {
		c.Close(false)
		return nil, facts, outcome
	}
	facts.Interrupter = c
	return c, facts, sim.OK
}

func (d *Dialer) connect(ctx context.Context, deadline time.Time, caller *sim.Caller) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if d.DialConn != nil {
		return d.DialConn(ctx, caller.Endpoint, caller.Ordinal)
	}
	tcp := net.Dialer{KeepAlive: -1}
	return tcp.DialContext(ctx, "tcp", caller.Endpoint)
}

// handshake sends CONNECT and reads CONNACK. It leaves expired or expiring deadlines on the
// connection, which Publish and Wait replace before they use it.
func (d *Dialer) handshake(ctx context.Context, deadline time.Time, c *conversation, id string,
	facts *sim.Facts) sim.Outcome {
	if err := c.conn.SetDeadline(deadline); err != nil {
		return OutcomeOf(err)
	}
	if ctx.Done() != nil {
		moved := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			c.conn.SetDeadline(time.Unix(1, 0))
			close(moved)
		})
		defer func() {
			if !stop() {
				<-moved
			}
		}()
	}
	err := d.sendConnect(c, id)
	var body []byte
	if err == nil {
		body, err = c.readConnack()
	}
	switch {
	case err == nil:
	case isTimeout(err) && ctx.Err() == context.Canceled:
		return sim.AppUnknown
	case isTimeout(err):
		return sim.MQTTConnackTimeout
	default:
		return OutcomeOf(err)
	}
	facts.Established = time.Now()
	return c.establish(body, d.Binding.Session == 0, facts)
}

func (d *Dialer) sendConnect(c *conversation, id string) error {
	s := d.pool.get()
	defer d.pool.put(s)
	p := &s.packet
	p.FixedHeader.Type = packets.Connect
	p.ProtocolVersion = 4
	p.Connect.ProtocolName = []byte("MQTT")
	p.Connect.ClientIdentifier = id
	p.Connect.Clean = d.Binding.Session == 0
	p.Connect.Keepalive = uint16(seconds(d.keepAlive(), math.MaxUint16))
	if c.v5 {
		p.ProtocolVersion = 5
		p.Properties.MaximumPacketSize = maxPacket
		if d.Binding.Session > 0 {
			p.Properties.SessionExpiryIntervalFlag = true
			p.Properties.SessionExpiryInterval = uint32(seconds(d.Binding.Session.D(), math.MaxUint32))
		}
	}
	if err := p.ConnectEncode(&s.out); err != nil {
		return err
	}
	c.sentAt = time.Now()
	_, err := c.conn.Write(s.out.Bytes())
	return err
}

func (d *Dialer) connectTimeout() time.Duration {
	if t := d.Binding.ConnectTimeout.D(); t > 0 {
		return t
	}
	return defaultConnectTimeout
}

func (d *Dialer) keepAlive() time.Duration {
	if k := d.Binding.KeepAlive.D(); k > 0 {
		return min(k, math.MaxUint16*time.Second)
	}
	return defaultKeepAlive
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
