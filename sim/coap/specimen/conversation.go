package specimen

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	"github.com/plgd-dev/go-coap/v3/udp/client"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
)

// conversation implements [sim.Conversation], [sim.Interrupter] and [sim.Windowed] over a client of
// the library.
type conversation struct {
	d      *GoCoAP
	conn   *client.Conn
	made   chan struct{} // closed when conn is set: the library runs before its constructor returns
	ctx    context.Context
	cancel context.CancelFunc
	asking sync.WaitGroup // a goroutine for each unanswered message

	event  sim.Event      // what the last Wait returned
	room   int            // of the device's goroutine
	events chan sim.Event // NSTART of them, so that nobody ever waits to send one
	wake   chan struct{}  // has room for one

	over  chan struct{} // closed when down is set
	ended sync.Once
	down  sim.Event
}

func newConversation(d *GoCoAP) *conversation {
	c := &conversation{
		d: d, made: make(chan struct{}), room: d.nstart(), events: make(chan sim.Event, d.nstart()),
		wake: make(chan struct{}, 1), over: make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// told is the library's error callback. Most of what it hears of changes nothing; the reason of
// the connection's end comes after that end.
func (c *conversation) told(err error) {
	<-c.made
	if c.conn.Context().Err() == nil || errors.Is(err, context.DeadlineExceeded) {
		return
	}
	o := coap.OutcomeOf(err)
	if o == sim.LocalOther {
		o = sim.CoAPMalformed // the transport's errors have a class; this is what it could not read
	}
	c.fail(o)
}

// fail ends the conversation; the first reason stays.
func (c *conversation) fail(o sim.Outcome) {
	c.ended.Do(func() {
		c.down = sim.Event{Kind: sim.EventDown, Outcome: o, At: time.Now()}
		close(c.over)
	})
}

// ping is the library's, but for that it ends with the connection.
func (c *conversation) ping(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.conn.Context(), cancel)()
	return c.conn.Ping(ctx)
}

// unanswered is the outcome of a request that ended with err; that of the connection's own end is waited
// for until ctx ends.
func (c *conversation) unanswered(ctx context.Context, err error) sim.Outcome {
	if c.conn.Context().Err() == nil {
		return coap.OutcomeOf(err)
	}
	select {
	case <-c.over:
		return c.down.Outcome
	case <-ctx.Done():
		return coap.OutcomeOf(err)
	}
}

// Room implements [sim.Windowed]: NSTART less the confirmable messages without an event. Where a NON's
// blocks held it, Wait returns EventNone when they are through.
func (c *conversation) Room() int { return c.room }

// Publish implements [sim.Conversation]: OK means that the library has m, and of a NON that it was written
// or that an ICMP error prevented it, which is no failure of the conversation. What is of the block
// size or above it is confirmable whatever the QoS.
func (c *conversation) Publish(m *sim.Message) sim.Outcome {
	select {
	case <-c.over:
		return c.down.Outcome
	default:
	}
	if m.QoS == 0 && !c.large(m.Payload) {
		return c.write(m)
	}
	if c.room == 0 {
		return sim.LocalOther
	}
	c.room--
	topic, payload := m.Topic, bytes.Clone(m.Payload)
	e := sim.Event{Kind: sim.EventAcked, Stream: m.Stream, Seq: m.Seq, Attempts: 1}
	if m.QoS == 0 {
		e = sim.Event{} // of a message that is done, but for the room that it takes
	}
	c.asking.Go(func() { c.ask(e, topic, payload) })
	return sim.OK
}

// large reports whether the library takes payload for one that needs blocks, or might.
func (c *conversation) large(payload []byte) bool { return int64(len(payload)) >= c.d.szx().Size() }

// ask sends a confirmable request and waits for its response, of which e is to tell if all goes well. What
// the connection's end left without an answer has no event of its own.
func (c *conversation) ask(e sim.Event, topic string, payload []byte) {
	ctx, cancel := context.WithTimeout(c.ctx, coap.TransmitWait(&c.d.Binding.CoAP))
	defer cancel()
	outcome := sim.OK
	req, err := c.request(ctx, topic, payload)
	if err == nil {
		var resp *pool.Message
		if resp, err = c.conn.Do(req); err == nil {
			outcome = coap.OutcomeOfCode(resp.Code())
			c.conn.ReleaseMessage(resp)
		}
		c.conn.ReleaseMessage(req)
	}
	if err != nil {
		if c.conn.Context().Err() != nil {
			return
		}
		outcome = coap.OutcomeOf(err)
		if outcome == sim.LocalOther && c.large(payload) {
			outcome = sim.CoAPIncomplete // the library's word for it is only text
		}
	}
	if e.Kind != sim.EventNone {
		e.At, e.Outcome = time.Now(), outcome
		if outcome != sim.OK {
			e.Kind = sim.EventFailed
		}
	}
	c.events <- e
}

// write sends a non-confirmable request.
func (c *conversation) write(m *sim.Message) sim.Outcome {
	req, err := c.request(c.ctx, m.Topic, bytes.Clone(m.Payload))
	if err == nil {
		req.SetType(message.NonConfirmable)
		err = c.conn.WriteMessage(req)
		c.conn.ReleaseMessage(req)
	}
	if err == nil {
		return sim.OK
	}
	if c.conn.Context().Err() != nil {
		return sim.OK // lost with the connection, of whose end the next Wait tells
	}
	o := coap.OutcomeOf(err)
	if o == sim.CoAPUnreachable {
		return sim.OK
	}
	c.fail(o)
	return o
}

// request is what client.Post and client.Put send.
func (c *conversation) request(ctx context.Context, topic string, payload []byte) (*pool.Message, error) {
	path, query, _ := strings.Cut(topic, "?")
	var list message.Options
	for part := range strings.SplitSeq(query, "&") {
		if query != "" {
			list = append(list, message.Option{ID: message.URIQuery, Value: []byte(part)})
		}
	}
	var body io.ReadSeeker
	if len(payload) > 0 {
		body = bytes.NewReader(payload)
	}
	if strings.EqualFold(c.d.Binding.CoAP.Method, "PUT") {
		return c.conn.NewPutRequest(ctx, path, c.d.ContentFormat, body, list...)
	}
	return c.conn.NewPostRequest(ctx, path, c.d.ContentFormat, body, list...)
}

// Wait implements [sim.Conversation]. The library serves the protocol's timers.
func (c *conversation) Wait(deadline time.Time) *sim.Event {
	c.event = c.await(deadline)
	return &c.event
}

func (c *conversation) await(deadline time.Time) sim.Event {
	var expired <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case e := <-c.events: // before anything else that may have happened
		return c.answered(e)
	default:
	}
	select {
	case e := <-c.events:
		return c.answered(e)
	case <-c.wake:
	case <-expired:
	case <-c.over:
		select {
		case e := <-c.events:
			return c.answered(e)
		default:
			return c.down
		}
	}
	return sim.Event{}
}

func (c *conversation) answered(e sim.Event) sim.Event {
	c.room++
	return e
}

// Interrupt implements [sim.Interrupter].
func (c *conversation) Interrupt() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Close implements [sim.Conversation]. CoAP has no message that ends a session, and a UDP socket holds no data to send.
func (c *conversation) Close(bool) {
	c.fail(sim.LocalOther) // a Wait after Close is a mistake of ours
	c.cancel()
	_ = c.conn.Close()
	<-c.conn.Done()
	c.asking.Wait()
}
