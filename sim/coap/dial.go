package coap

import (
	"cmp"
	"context"
	"net"
	"sync"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"

	"github.com/myriad-iot/myriad/sim"
)

// MediaType is a number of the CoAP Content-Formats registry: 0 text/plain, 42 octet-stream, 50
// JSON, 60 CBOR, 110 SenML-JSON, 112 SenML-CBOR.
type MediaType = message.MediaType

// Dialer opens conversations for the devices of one binding. It must not be copied or changed
// after the first Dial.
type Dialer struct {
	Binding       sim.Binding // ConnectTimeout and CoAP are used
	ContentFormat MediaType   // of payloads; the zero value is text/plain

	// DialConn opens the transport of one device: a connection that keeps datagrams apart. Nil is
	// a connected UDP socket on a port of the kernel's choice.
	DialConn func(ctx context.Context, endpoint string, o sim.Ordinal) (net.Conn, error)

	once    sync.Once
	timing  timing
	format  [2]byte   // ContentFormat, big-endian
	scratch sync.Pool // of *scratch
	packets sync.Pool // of *[]byte
}

// Dial implements [sim.Dialer]. The conversation is established when the peer has answered an
// empty confirmable message, which is repeated like any other until the connect timeout.
func (d *Dialer) Dial(ctx context.Context, caller *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	d.prepare()
	deadline := time.Now().Add(cmp.Or(d.Binding.ConnectTimeout.D(), 10*time.Second))
	conn, err := d.connect(ctx, deadline, caller)
	if err != nil {
		return nil, sim.Facts{}, broken(err)
	}
	now := time.Now()
	c := d.converse(conn, caller, now)
	facts := sim.Facts{Opened: now, Interrupter: c}
	o := c.establish(ctx, now, deadline, &facts)
	if o != sim.OK {
		c.Close(true)
		return nil, sim.Facts{}, o
	}
	return c, facts, sim.OK
}

func (d *Dialer) prepare() {
	d.once.Do(func() {
		d.timing = newTiming(&d.Binding.CoAP)
		d.format = [2]byte{byte(d.ContentFormat >> 8), byte(d.ContentFormat)}
	})
}

func (d *Dialer) connect(ctx context.Context, deadline time.Time, caller *sim.Caller) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if d.DialConn != nil {
		return d.DialConn(ctx, caller.Endpoint, caller.Ordinal)
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, "udp", caller.Endpoint)
}

// establish pings and waits for the pong. If ctx ends meanwhile, the outcome is AppUnknown.
func (c *Conversation) establish(ctx context.Context, now, deadline time.Time, facts *sim.Facts) sim.Outcome {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { c.Interrupt(); close(interrupted) })
	defer func() {
		if !stop() {
			<-interrupted
		}
	}()
	// Until here only: writing to a UDP socket does not block, but to another transport it may.
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
