package mqtt

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// What a broken or hostile peer sends during a session ends it in one class, at once.
func TestHostilePeer(t *testing.T) {
	tests := []struct {
		name    string
		version string // "" is both
		raw     []byte
	}{
		{"connect", "", []byte{0x10, 0}},
		{"second connack", "", []byte{0x20, 2, 0, 0}},
		{"reserved type", "", []byte{0x00, 0}},
		{"auth", "5", []byte{0xF0, 0}},
		{"type 15", "3.1.1", []byte{0xF0, 0}},
		{"pubrec flags", "", []byte{0x52, 2, 0, 1}},
		{"pubrec identifier 0", "", []byte{0x50, 2, 0, 0}},
		{"pubrec too long", "3.1.1", []byte{0x50, 3, 0, 1, 0}},
		{"pubrel flags", "", []byte{0x60, 2, 0, 1}},
		{"pubrel identifier 0", "", []byte{0x62, 2, 0, 0}},
		{"pubrel without identifier", "", []byte{0x62, 0}},
		{"pubcomp of one byte", "", []byte{0x70, 1, 1}},
		{"publish without topic", "3.1.1", []byte{0x30, 2, 0, 0}},
		{"publish without topic or alias", "5", []byte{0x30, 3, 0, 0, 0}},
		{"publish to a filter", "3.1.1", []byte{0x30, 3, 0, 1, '#'}},
		{"publish qos 2 identifier 0", "3.1.1", []byte{0x34, 5, 0, 1, 't', 0, 0}},
		{"publish by alias 0", "5", []byte{0x30, 7, 0, 1, 't', 3, 0x23, 0, 0}},
		{"unsuback", "", []byte{0xB0, 2, 0, 1}},
		{"suback", "", []byte{0x90, 3, 0, 1, 0}},
		{"pingreq", "", []byte{0xC0, 0}},
		{"pingresp with a body", "", []byte{0xD0, 1, 0}},
		{"puback flags", "", []byte{0x42, 2, 0, 1}},
		{"puback without identifier", "", []byte{0x40, 0}},
		{"puback of one byte", "", []byte{0x40, 1, 1}},
		{"puback identifier 0", "", []byte{0x40, 2, 0, 0}},
		{"puback too long", "3.1.1", []byte{0x40, 3, 0, 1, 0}},
		{"puback property", "5", []byte{0x40, 6, 0, 1, 0, 2, 0x7E, 0}},
		{"puback property cut", "5", []byte{0x40, 5, 0, 1, 0, 9, 0x1F}},
		{"publish qos 3", "", []byte{0x36, 4, 0, 1, 't', 0}},
		{"publish dup of qos 0", "", []byte{0x38, 3, 0, 1, 't'}},
		{"publish topic cut", "", []byte{0x30, 3, 0, 9, 't'}},
		{"publish topic not utf-8", "3.1.1", []byte{0x30, 3, 0, 1, 0xFF}},
		{"publish identifier 0", "3.1.1", []byte{0x32, 5, 0, 1, 't', 0, 0}},
		{"publish without identifier", "3.1.1", []byte{0x32, 3, 0, 1, 't'}},
		{"publish by alias", "5", []byte{0x30, 6, 0, 0, 3, 0x23, 0, 1}},
		{"endless length", "", append([]byte{0x30}, bytes.Repeat([]byte{0x80}, 60)...)},
		{"length of five bytes", "", []byte{0x40, 0x80, 0x80, 0x80, 0x80, 0x01}},
		{"http", "", []byte("HTTP/1.1 200 OK\r\n")},
		{"tls alert", "", []byte{0x15, 3, 1, 0, 2, 2, 40}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			versions(t, func(t *testing.T, version string) {
				if test.version != "" && test.version != version {
					return
				}
				t0 := time.Now()
				c, ended := dialed(t, sim.Binding{Version: version}, packets.Properties{}, func(p *peer) {
					p.write(test.raw...)
					if version == "5" {
						p.expect(packets.Disconnect)
					}
					p.expect(0) // the device says nothing more
				})
				e := c.Wait(t0.Add(time.Second))
				wantEvent(t, e, sim.EventDown, 0, sim.MQTTMalformed)
				if !time.Now().Equal(t0) {
					t.Errorf("noticed after %v", time.Since(t0))
				}
				c.Close(false)
				<-ended
			})
		})
	}
}

// What is odd but not forbidden does not end a session.
func TestToleratedPeer(t *testing.T) {
	versions(t, func(t *testing.T, version string) {
		c, ended := dialed(t, sim.Binding{Version: version}, packets.Properties{}, func(p *peer) {
			pk := p.expect(packets.Publish)
			command := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: "cmd"}
			p.send(pingresp(), puback(pk.PacketID+1, 0), puback(pk.PacketID, 0), puback(pk.PacketID, 0), command)
			command.FixedHeader.Qos, command.PacketID = 1, 513
			command.Payload = make([]byte, 4000)
			p.send(command)
			if pk := p.expect(packets.Puback); pk.PacketID != 513 || pk.ReasonCode != 0 {
				t.Errorf("answer %+v", pk)
			}
			p.expect(packets.Disconnect)
		})
		publish(t, c, 0, 1)
		wantEvent(t, c.Wait(after(time.Second)), sim.EventAcked, 0, sim.OK)
		wantEvent(t, c.Wait(after(time.Second)), sim.EventInbound, 0, sim.OK)
		wantEvent(t, c.Wait(after(time.Second)), sim.EventInbound, 0, sim.OK)
		wantEvent(t, c.Wait(after(time.Second)), sim.EventNone, 0, sim.OK)
		c.Close(false)
		<-ended
	})
}

// What follows a packet too large for the inline buffer, in the same segment, is not lost with it.
func TestBehindLargePacket(t *testing.T) {
	big := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: "cmd"}
	for size := range 600 {
		big.Payload = make([]byte, size)
		c := established(&Dialer{}, &memory{in: encoded(4, big, puback(1, 0)), end: io.EOF})
		publish(t, c, 0, 1)
		if e := c.Wait(after(time.Hour)); e.Kind != sim.EventInbound || len(e.Inbound.Payload) != size {
			t.Fatalf("payload of %d: %+v", size, e)
		}
		if e := c.Wait(after(time.Hour)); e.Kind != sim.EventAcked {
			t.Fatalf("payload of %d: %+v", size, e)
		}
	}
}

// A peer that never stops talking does not keep a device from its deadline or from keep-alive.
func TestTalkativePeer(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		t0 := time.Now()
		var ping time.Duration
		c, ended := dialed(t, sim.Binding{}, packets.Properties{}, func(p *peer) {
			go func() {
				for {
					time.Sleep(10 * time.Millisecond)
					if _, err := p.conn.Write([]byte{0x40, 2, 0, 9}); err != nil {
						return
					}
				}
			}()
			p.expect(packets.Pingreq)
			ping = time.Since(t0)
			p.read()
		})
		wantEvent(t, c.Wait(t0.Add(61*time.Second)), sim.EventNone, 0, sim.OK)
		if now := time.Since(t0); now != 61*time.Second || ping != 60*time.Second {
			t.Errorf("returned at %v, ping at %v", now, ping)
		}
		c.Close(false)
		<-ended
		time.Sleep(time.Second)
	})
}

func TestRemainingLength(t *testing.T) {
	tests := []struct {
		in        []byte
		length, n int
		bad       bool
	}{
		{nil, 0, 0, false},
		{[]byte{0}, 0, 1, false},
		{[]byte{0x7F, 9}, 127, 1, false},
		{[]byte{0x80}, 0, 0, false},
		{[]byte{0x80, 1}, 128, 2, false},
		{[]byte{0xFF, 0xFF, 0xFF}, 0, 0, false},
		{[]byte{0xFF, 0xFF, 0xFF, 0x7F}, 268_435_455, 4, false},
		{[]byte{0x80, 0x80, 0x80, 0x80}, 0, 0, true},
		{[]byte{0x80, 0x80, 0x80, 0x80, 0}, 0, 0, true},
	}
	for _, test := range tests {
		length, n, err := remainingLength(test.in)
		if length != test.length || n != test.n || (err != nil) != test.bad {
			t.Errorf("% x: %d, %d, %v", test.in, length, n, err)
		}
	}
}

func TestInflight(t *testing.T) {
	// Against a map, with a window that grows beyond the inline array and identifiers that collide.
	r := rand.New(rand.NewPCG(1, 2))
	var f inflight
	model := map[uint16]uint32{}
	for i := range 50_000 {
		if len(model) < 40 && r.IntN(2) == 0 {
			seq := uint32(r.IntN(60)) + (subscribeID-1)*uint32(r.IntN(3))
			id := f.id(seq)
			if _, taken := model[id]; taken || id == 0 {
				t.Fatalf("step %d: id %d is in use", i, id)
			}
			f.add(id, &sim.Message{Seq: seq}, awaitsPuback)
			model[id] = seq
			continue
		}
		id := uint16(r.IntN(110))
		want, in := model[id]
		taken, ok := f.take(id)
		seq := taken.seq
		if ok != in || seq != want || f.live != len(model)-count(ok) {
			t.Fatalf("step %d: take %d: %d, %v; want %d, %v; live %d of %d", i, id, seq, ok, want, in, f.live, len(model))
		}
		delete(model, id)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
