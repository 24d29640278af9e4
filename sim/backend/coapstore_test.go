package backend

import (
	"bytes"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
)

// device dials the server at address with what it observes.
func device(t *testing.T, address, id string, p sim.CoAP) sim.Conversation {
	t.Helper()
	d := &coap.Dialer{Binding: sim.Binding{CoAP: p}}
	c, _, o := d.Dial(t.Context(), &sim.Caller{ID: id, Key: uint64(len(id)), Endpoint: address})
	if o != sim.OK {
		t.Fatal(o)
	}
	t.Cleanup(func() { c.Close(true) })
	return c
}

// report sends payload to path, and returns once it is acknowledged.
func report(t *testing.T, c sim.Conversation, path string, payload []byte) {
	t.Helper()
	if o := c.Publish(&sim.Message{Topic: path, Payload: payload, QoS: 1}); o != sim.OK {
		t.Fatal(o)
	}
	if ev := c.Wait(time.Now().Add(10 * time.Second)); ev.Kind != sim.EventAcked {
		t.Fatalf("event = %+v", ev)
	}
}

// What is put to a path reaches the devices that observe it, small or in blocks, and the reports of an
// operator and of a device are on record once.
func TestCoAPServerNotifies(t *testing.T) {
	log, clock := newLog(), wall{time.Now()}
	tg := &Target{CoAP: true}
	tg.Journal(log, clock)
	address := target(t, tg)[sim.SchemeCoAP][0]
	dev := device(t, address, "f-7", sim.CoAP{Observe: []string{"cmd/{fleet}/{id}"}})
	for dev.(sim.Windowed).Room() == 0 {
		dev.Wait(time.Now().Add(10 * time.Second)) // until it is registered
	}
	operator := device(t, address, "operator", sim.CoAP{Method: "PUT", BlockSize: 64})
	for i, size := range []int{10, 1024, 1025, 5000} {
		command := append(payload(stamp(i, 1)), bytes.Repeat([]byte("x"), size)...)
		report(t, operator, "cmd/f/f-7", command)
		ev := dev.Wait(time.Now().Add(10 * time.Second))
		if ev.Kind != sim.EventInbound || string(ev.Inbound.Topic) != "cmd/f/f-7" || !bytes.Equal(ev.Inbound.Payload, command) {
			t.Fatalf("%d bytes: %+v", size, ev)
		}
		report(t, dev, "reply", append(payload(stamp(i, 2)), command[len(command)-size:]...))
	}
	h, err := tg.Handle("coap")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Down(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if log.count(stamp(i, 1)) != 1 || log.count(stamp(i, 2)) != 1 {
			t.Errorf("%d: recorded %d and %d times", i, log.count(stamp(i, 1)), log.count(stamp(i, 2)))
		}
	}
}
