package coap

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"

	"github.com/myriad-iot/myriad/sim"
)

// StreamDialer opens conversations over TCP or TLS (RFC 8323) for the devices of one binding. It must
// not be copied or changed after the first Dial.
type StreamDialer struct {
	Binding       sim.Binding // ConnectTimeout, KeepAlive, CoAP and Commands are used
	ContentFormat MediaType   // of payloads; the zero value is text/plain

	// DialTCP opens the transport of one device; over TLS a conn that is a [sim.Handshaker]. Nil is a TCP
	// connection from the caller's source.
	DialTCP func(ctx context.Context, c *sim.Caller) (net.Conn, error)
	// Outcome classes the errors that DialTCP and its conns have beside TCP's; may be nil.
	Outcome func(error) (sim.Outcome, bool)

	once  sync.Once
	inner Dialer // its codec and its pools
}

// Dial implements [sim.Dialer]. The conversation is established when the peer's Capabilities and
// Settings Message has come (RFC 8323 section 5.3); ours is sent at once. What is to be observed is
// asked for from then on. A binding that cannot be followed is LocalOther, and a peer that does not take
// tokens of the size that it asks for is CoAPClientError.
func (d *StreamDialer) Dial(ctx context.Context, caller *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	c, facts, o := d.dial(ctx, caller, true)
	if o != sim.OK {
		return nil, sim.Facts{}, o
	}
	return c, facts, sim.OK
}

// dial opens a conversation, which observes what the binding says if it watches.
func (d *StreamDialer) dial(ctx context.Context, caller *sim.Caller, watches bool) (*Stream, sim.Facts, sim.Outcome) {
	d.once.Do(func() { d.inner.Binding, d.inner.ContentFormat = d.Binding, d.ContentFormat })
	if d.inner.prepare() != nil {
		return nil, sim.Facts{}, sim.LocalOther
	}
	deadline := time.Now().Add(cmp.Or(d.Binding.ConnectTimeout.D(), 10*time.Second))
	within, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err := d.connect(within, caller)
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, sim.Facts{}, sim.AppUnknown
		}
		return nil, sim.Facts{}, d.outcome(err, sim.TCPTimeout)
	}
	now := time.Now()
	c := newStream(d, conn, caller, now)
	facts := sim.Facts{Opened: now, Interrupter: c}
	if h, ok := conn.(sim.Handshaker); ok {
		facts.Secured, facts.Resumed = h.Handshake()
	}
	stop := context.AfterFunc(ctx, c.Interrupt)
	o := c.establish(ctx, deadline)
	stop() // if Interrupt was called meanwhile, the first Wait returns at once
	if o != sim.OK {
		c.Close(true)
		return nil, sim.Facts{}, o
	}
	facts.Established = c.heard
	if watches {
		c.watch(caller, c.heard)
	}
	if o = c.tend(time.Now()); o != sim.OK {
		c.Close(true)
		return nil, sim.Facts{}, o
	}
	return c, facts, sim.OK
}

func (d *StreamDialer) connect(ctx context.Context, caller *sim.Caller) (net.Conn, error) {
	if d.DialTCP != nil {
		return d.DialTCP(ctx, caller)
	}
	dialer := net.Dialer{KeepAlive: -1}
	if caller.Source.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(caller.Source)
	}
	return dialer.DialContext(ctx, "tcp", caller.Endpoint)
}

func (c *Stream) establish(ctx context.Context, deadline time.Time) sim.Outcome {
	ours := message.Options{{ID: optionMaxMessageSize, Value: maxMessageValue()}, {ID: optionBlockWise}}
	if o := c.signal(codeCSM, nil, ours); o != sim.OK {
		return o
	}
	for !c.settled {
		ev := c.Wait(deadline)
		switch {
		case ev.Kind == sim.EventDown:
			return ev.Outcome
		case c.settled:
		case ctx.Err() != nil:
			return sim.AppUnknown
		case !time.Now().Before(deadline):
			return sim.CoAPTimeout
		}
	}
	if c.d.tokenSize > int(c.tokens) {
		return sim.CoAPClientError
	}
	return sim.OK
}

func maxMessageValue() []byte { return binary.BigEndian.AppendUint16(nil, maxMessage) }
