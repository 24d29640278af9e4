package coap

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

// MediaType is a number of the CoAP Content-Formats registry: 0 text/plain, 42 octet-stream, 50
// JSON, 60 CBOR, 110 SenML-JSON, 112 SenML-CBOR.
type MediaType = message.MediaType

// Dialer opens conversations for the devices of one binding. It must not be copied or changed
// after the first Dial.
type Dialer struct {
	Binding       sim.Binding // ConnectTimeout, CoAP and Commands are used
	ContentFormat MediaType   // of payloads; the zero value is text/plain

	// DialConn opens the transport of one device: a connection that keeps datagrams apart. Nil is
	// a connected UDP socket on a port of the kernel's choice.
	DialConn func(ctx context.Context, endpoint string, o sim.Ordinal) (net.Conn, error)

	// DialUDP opens a device's socket where DialConn is nil; nil is [net.Dialer], from the caller's source.
	// If [link.RawOf] knows the conn it is read in place.
	DialUDP func(ctx context.Context, c *sim.Caller) (net.Conn, error)

	// Secure is set for DTLS, whose handshake counts towards the connect timeout; nil is plain UDP.
	Secure *DTLS

	names     names // of endpoints
	families  families
	once      sync.Once
	err       error // the binding cannot be followed
	timing    timing
	format    [2]byte    // ContentFormat, big-endian
	code      codes.Code // of reports
	szx       uint8      // of blocks
	tokenSize int
	scratch   sync.Pool // of *scratch
	packets   sync.Pool // of *[]byte
}

// Dial implements [sim.Dialer]. The conversation is established when the peer has answered an
// empty confirmable message, which is repeated like any other until the connect timeout. What is to
// be observed is asked for from then on; a binding that cannot be followed is LocalOther.
func (d *Dialer) Dial(ctx context.Context, caller *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	c, facts, o := d.dial(ctx, caller, true)
	if o != sim.OK {
		return nil, sim.Facts{}, o
	}
	return c, facts, sim.OK
}

// dial opens a conversation, which observes what the binding says if it watches.
func (d *Dialer) dial(ctx context.Context, caller *sim.Caller, watches bool) (*Conversation, sim.Facts, sim.Outcome) {
	if d.prepare() != nil {
		return nil, sim.Facts{}, sim.LocalOther
	}
	if d.DialConn == nil || d.families.lookup != nil {
		if list, proven := d.families.addresses(ctx, caller.Endpoint); len(list) > 1 {
			wait := nextAddress
			if proven {
				wait = nextIfProven
			}
			return d.race(ctx, caller, list, wait, watches)
		}
	}
	return d.dialAt(ctx, caller, caller.Endpoint, watches)
}

// dialAt opens a conversation at one address of the caller's endpoint.
func (d *Dialer) dialAt(ctx context.Context, caller *sim.Caller, address string, watches bool) (*Conversation, sim.Facts, sim.Outcome) {
	deadline := time.Now().Add(cmp.Or(d.Binding.ConnectTimeout.D(), 10*time.Second))
	conn, err := d.connect(ctx, deadline, caller, address)
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled):
		return nil, sim.Facts{}, sim.AppUnknown
	case err != nil:
		return nil, sim.Facts{}, broken(err)
	}
	now := time.Now()
	facts := sim.Facts{Opened: now}
	if d.Secure != nil {
		s, resumed, o := d.handshake(ctx, deadline, conn, caller)
		if o != sim.OK {
			_ = conn.Close()
			return nil, sim.Facts{}, o
		}
		now = time.Now()
		conn, facts.Secured, facts.Resumed = s, now, resumed
	}
	c := d.converse(conn, caller, now)
	if watches {
		c.watch(caller, now)
	}
	facts.Interrupter = c
	o := c.establish(ctx, now, deadline, &facts)
	if o != sim.OK {
		c.Close(true)
		return nil, sim.Facts{}, o
	}
	if o = c.tend(time.Now()); o != sim.OK {
		c.Close(true)
		return nil, sim.Facts{}, o
	}
	return c, facts, sim.OK
}

func (d *Dialer) prepare() error {
	d.once.Do(func() {
		p := &d.Binding.CoAP
		d.timing = newTiming(p)
		d.format = [2]byte{byte(d.ContentFormat >> 8), byte(d.ContentFormat)}
		d.szx = szxOf(p.BlockSize)
		d.tokenSize = max(cmp.Or(p.TokenSize, tokenSize), 1)
		if d.code, d.err = methodOf(p.Method); d.tokenSize > maxTokenSize {
			d.err = errTokenSize
		}
	})
	return d.err
}

func (d *Dialer) connect(ctx context.Context, deadline time.Time, caller *sim.Caller, address string) (net.Conn, error) {
	if address != caller.Endpoint {
		there := *caller
		there.Endpoint = address
		caller = &there
	}
	if d.DialConn != nil {
		return d.DialConn(sim.Deadline{Context: ctx, At: deadline}, caller.Endpoint, caller.Ordinal)
	}
	if d.DialUDP != nil {
		return d.DialUDP(sim.Deadline{Context: ctx, At: deadline}, caller)
	}
	dialer := net.Dialer{Deadline: deadline}
	if caller.Source.IsValid() {
		dialer.LocalAddr = net.UDPAddrFromAddrPort(caller.Source)
	}
	return dialer.DialContext(ctx, "udp", caller.Endpoint)
}

// establish pings and waits for the pong. If ctx ends meanwhile, the outcome is AppUnknown.
func (c *Conversation) establish(ctx context.Context, now, deadline time.Time, facts *sim.Facts) sim.Outcome {
	interrupted := make(chan struct{})
	stop := sim.AfterFunc(ctx, func() { c.Interrupt(); close(interrupted) })
	defer func() {
		if !stop() {
			<-interrupted
		}
	}()
	// Only for the handshake: writing to a UDP socket does not block, but writing to another transport may.
	_ = c.conn.SetWriteDeadline(deadline)
	defer func() { _ = c.conn.SetWriteDeadline(time.Time{}) }()
	if o := c.ping(now); o != sim.OK {
		return o
	}
	for {
		ev := c.Wait(deadline)
		switch {
		case ev.Kind == sim.EventAcked:
			facts.Established = ev.At
			return sim.OK
		case ev.Kind != sim.EventNone:
			return ev.Outcome
		case ctx.Err() != nil:
			return sim.AppUnknown
		case !time.Now().Before(deadline):
			return c.slots[0].silence()
		}
	}
}
