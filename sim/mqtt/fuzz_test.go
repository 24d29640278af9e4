package mqtt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// events are what a session makes of a peer's stream, in its order, times aside.
func events(version string, stream []byte, step func() int) (events []sim.Event, messages []string) {
	d := &Dialer{Binding: sim.Binding{Version: version, Inflight: 10}}
	c := established(d, &memory{in: bytes.Clone(stream), end: io.EOF, step: step})
	for seq := range uint32(10) {
		c.Publish(&sim.Message{Seq: seq, QoS: 1 + byte(seq%2)})
	}
	deadline := time.Now().Add(time.Hour)
	for {
		e := *c.Wait(deadline)
		e.At = time.Time{}
		if e.Inbound != nil {
			messages = append(messages, fmt.Sprintf("%s %x %+v", e.Inbound.Topic, e.Inbound.Payload, e.Inbound.QoS))
			e.Inbound = nil
		}
		events = append(events, e)
		if e.Kind == sim.EventDown {
			c.Close(true)
			return events, messages
		}
	}
}

// FuzzReader: any bytes, in any pieces, end in the same events, the last of them down.
func FuzzReader(f *testing.F) {
	big := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, PacketID: 9,
		TopicName: "cmd", Payload: make([]byte, 300)}
	bye := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}, ReasonCode: 0x8E}
	f.Add(true, uint64(1), encoded(5, pingresp(), puback(2, 0x87), big, puback(1, 0), bye))
	f.Add(false, uint64(2), encoded(4, puback(1, 0), big, puback(77, 0), puback(3, 0), pingresp()))
	f.Add(true, uint64(3), []byte{0x40, 9, 0, 3, 0x97, 5, 0x1F, 0, 2, 'n', 'o', 0x30, 0x80, 0x80, 0x80, 0x80, 0x80})
	f.Add(true, uint64(4), []byte{0x50, 2, 0, 2, 0x70, 2, 0, 2, 0x50, 3, 0, 4, 0x91, 0x50, 2, 0, 6, 0x50, 2, 0, 6, 0x70, 3, 0, 6, 0x92,
		0x34, 6, 0, 1, 't', 0, 7, 0, 0x34, 6, 0, 1, 't', 0, 7, 0, 0x62, 2, 0, 7, 0x62, 2, 0, 7, 0x50, 2, 9, 9})
	f.Add(false, uint64(5), []byte{0x50, 2, 0, 2, 0x70, 2, 0, 2, 0x34, 5, 0, 1, 't', 0, 7, 0x62, 2, 0, 7, 0x70, 2, 0, 4})
	f.Fuzz(func(t *testing.T, v5 bool, seed uint64, stream []byte) {
		version := "3.1.1"
		if v5 {
			version = "5"
		}
		whole, said := events(version, stream, nil)
		r := rand.New(rand.NewPCG(seed, 0))
		pieces, again := events(version, stream, func() int { return r.IntN(40) })
		if len(whole) != len(pieces) || !slices.Equal(said, again) {
			t.Fatalf("whole %+v\npieces %+v", whole, pieces)
		}
		seen, received := map[uint32]bool{}, map[uint32]bool{}
		for i, e := range whole {
			if e != pieces[i] {
				t.Fatalf("event %d: %+v, in pieces %+v", i, e, pieces[i])
			}
			if e.Kind == sim.EventDown {
				if e.Outcome.Layer() != "mqtt" && e.Outcome != sim.TCPClosed ||
					!v5 && e.Outcome.Layer() == "mqtt" && e.Outcome != sim.MQTTMalformed && e.Outcome != sim.MQTTDisconnected {
					t.Fatalf("down with %v", e.Outcome)
				}
				continue
			}
			switch {
			case e.Kind == sim.EventInbound:
				continue
			case e.Kind == sim.EventReceived:
				if received[e.Seq] || seen[e.Seq] || e.Seq%2 == 0 {
					t.Fatalf("event %+v", e)
				}
				received[e.Seq] = true
				continue
			case e.Kind == sim.EventAcked && e.Seq%2 == 1 && !received[e.Seq], e.Kind == sim.EventFailed && received[e.Seq]:
				t.Fatalf("event %+v, received %v", e, received)
			}
			if seen[e.Seq] || e.Seq > 9 || (e.Kind == sim.EventFailed) != (e.Outcome != sim.OK) {
				t.Fatalf("event %+v", e)
			}
			seen[e.Seq] = true
		}
	})
}

// FuzzHandshake: any answer to CONNECT is an outcome, and a conversation exists only with OK.
func FuzzHandshake(f *testing.F) {
	f.Add(false, []byte{0x20, 2, 0, 0})
	f.Add(true, []byte{0x20, 6, 0, 0, 3, 0x21, 0, 1})
	f.Add(true, []byte{0x20, 14, 1, 0x87, 11, 0x22, 0, 9, 0x13, 0, 5, 0x27, 0, 0, 1, 0})
	f.Fuzz(func(t *testing.T, v5 bool, answer []byte) {
		d := Dialer{Binding: sim.Binding{Session: sim.Duration(time.Hour)}}
		if v5 {
			d.Binding.Version = "5"
		}
		d.DialConn = func(context.Context, *sim.Caller) (net.Conn, error) {
			return &memory{in: bytes.Clone(answer), end: io.EOF}, nil
		}
		c, facts, outcome := d.Dial(t.Context(), &sim.Caller{ID: "dev-1"})
		if (c == nil) != (outcome != sim.OK) || c == nil && facts.SessionPresent {
			t.Fatalf("%v, %+v, %v", c, facts, outcome)
		}
		if c == nil {
			return
		}
		if room := c.(sim.Windowed).Room(); room < 1 || room > defaultInflight {
			t.Fatalf("room %d", room)
		}
		for e := c.Wait(time.Now().Add(time.Hour)); e.Kind != sim.EventDown; e = c.Wait(time.Now().Add(time.Hour)) {
		}
		c.Close(false)
	})
}

// FuzzConversation: whatever the device and the peer do in whatever order, the account holds. Each
// message is answered at most once, only after it was published, and Room is what is left.
func FuzzConversation(f *testing.F) {
	f.Add([]byte{0, 0, 1, 2, 3, 1, 2, 2, 4, 5, 2, 6, 9})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 19, 35, 51, 2, 2, 2, 2, 0, 7, 2, 2})
	f.Add([]byte("..\x132\x13.2\x1f2\x032C")) // a PUBACK after the PUBREC of the same message
	f.Add([]byte{14, 14, 19, 2, 19, 2, 3, 2, 31, 2, 3, 2, 3, 2, 14, 15, 2, 15, 2, 3, 2, 0, 15, 2})
	f.Fuzz(func(t *testing.T, steps []byte) {
		const window = 12
		broken := false
		conn := &failing{broken: &broken}
		c := established(&Dialer{Binding: sim.Binding{Inflight: window, Version: "5"}}, conn)
		open, exact := map[uint32]bool{}, map[uint32]int{} // exact: 1 sent with QoS 2, 2 received
		seq, down := uint32(0), sim.OK
		for _, step := range steps {
			arg := step >> 4
			switch step & 15 {
			case 0, 1, 14: // publish QoS 1, QoS 0, QoS 2
				qos := 1 - step&1
				if step&15 == 14 {
					qos = 2
				}
				full := qos > 0 && len(open) == window
				o := c.Publish(&sim.Message{Seq: seq, Topic: "t", QoS: qos, Resend: arg > 7})
				switch {
				case down != sim.OK && o != down, full && down == sim.OK && o != sim.LocalOther,
					!full && down == sim.OK && !broken && o != sim.OK, broken && !full && o == sim.OK:
					t.Fatalf("publish: %v, down %v, full %v, broken %v", o, down, full, broken)
				}
				if o == sim.OK && qos > 0 {
					open[seq] = true
				}
				if o == sim.OK && qos == 2 {
					exact[seq] = 1
				}
				seq++
			case 2, 8:
				e := c.Wait(time.Unix(1, 0)) // memory reads all the same
				switch e.Kind {
				case sim.EventReceived:
					if !open[e.Seq] || exact[e.Seq] != 1 {
						t.Fatalf("%+v was not open", e)
					}
					exact[e.Seq] = 2
				case sim.EventAcked, sim.EventFailed:
					if !open[e.Seq] || e.Kind == sim.EventAcked && exact[e.Seq] == 1 || e.Kind == sim.EventFailed && exact[e.Seq] == 2 {
						t.Fatalf("%+v was not open", e)
					}
					delete(open, e.Seq)
				case sim.EventDown:
					if e.Outcome == sim.OK || down != sim.OK && e.Outcome != down {
						t.Fatalf("%+v after %v", e, down)
					}
					down = e.Outcome
				}
			case 3, 15: // the peer answers one of the last sixteen
				back := seq - 1 - uint32(arg)
				id := uint16(back%(subscribeID-1)) + 1
				kind := []byte{0x40, 0x50, 0x70}[exact[back]]
				if step&15 == 15 {
					kind = 0x50
				}
				conn.in = append(conn.in, kind, 3, byte(id>>8), byte(id), arg<<4)
			case 4:
				conn.in = append(conn.in, 0xD0, 0)
			case 5:
				conn.in = append(conn.in, 0x32+arg&2, 6, 0, 1, 't', 0, arg, 0)
			case 6:
				c.Interrupt()
			case 7:
				c.Close(arg > 7)
				if down == sim.OK {
					down = c.down
				}
			case 9:
				broken = true
			case 10:
				conn.in = append(conn.in, arg, step)
			case 11:
				conn.in = append(conn.in, 0xE0, 1, 0x80|arg)
			case 12:
				c.sentAt = c.sentAt.Add(-time.Duration(arg) * 10 * time.Second)
			case 13:
				seq += subscribeID - 1 - uint32(arg) // identifiers that collide
			}
			if c.Room() != window-len(open) {
				t.Fatalf("room %d with %d open", c.Room(), len(open))
			}
		}
	})
}

// failing is a memory whose writes fail once broken.
type failing struct {
	memory
	broken *bool
	failed int
}

func (f *failing) Write(p []byte) (int, error) {
	if *f.broken {
		f.failed++
		return 0, errors.New("broken")
	}
	return len(p), nil
}
