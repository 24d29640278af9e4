package mqtt

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// acking answers every QoS 1 PUBLISH at once. In version 5 it does as EMQX: reason and an empty
// property list.
func acking(v5 bool) func(m *memory, packet []byte) {
	answer := make([]byte, 6)
	return func(m *memory, packet []byte) {
		topic := 1 + lengthSize(len(packet)-2) // of these sizes: the fixed header
		id := topic + 2 + int(binary.BigEndian.Uint16(packet[topic:]))
		if v5 {
			m.in = append(answer[:0], 0x40, 4, packet[id], packet[id+1], 0, 0)
		} else {
			m.in = append(answer[:0], 0x40, 2, packet[id], packet[id+1])
		}
	}
}

func acked(version string) (*conversation, *sim.Message) {
	d := &Dialer{Binding: sim.Binding{Version: version}}
	c := established(d, &memory{wrote: acking(version == "5")})
	return c, &sim.Message{Topic: "fleets/meters/meters-12345/telemetry", Payload: []byte(strings.Repeat("x", 120)), QoS: 1}
}

// round publishes and takes the answer, with the deadline of a device that has more to do later.
func round(tb testing.TB, c *conversation, m *sim.Message, deadline time.Time) {
	m.Seq++
	if o := c.Publish(m); o != sim.OK {
		tb.Fatal(o)
	}
	if e := c.Wait(deadline); e.Kind != sim.EventAcked || e.Seq != m.Seq {
		tb.Fatalf("%+v", e)
	}
}

func TestRoundDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector drops pooled buffers at random")
	}
	for _, version := range []string{"3.1.1", "5"} {
		c, m := acked(version)
		deadline := time.Now().Add(time.Hour)
		if n := testing.AllocsPerRun(1000, func() { round(t, c, m, deadline) }); n != 0 {
			t.Errorf("version %s: %v allocations a round", version, n)
		}
	}
}

func BenchmarkRound(b *testing.B) {
	for _, version := range []string{"3.1.1", "5"} {
		b.Run(version, func(b *testing.B) {
			b.ReportAllocs()
			c, m := acked(version)
			deadline := time.Now().Add(time.Hour)
			for b.Loop() {
				round(b, c, m, deadline)
			}
		})
	}
}

// BenchmarkMochiPublish is why PUBLISH is encoded by hand.
func BenchmarkMochiPublish(b *testing.B) {
	for _, version := range []string{"3.1.1", "5"} {
		b.Run(version, func(b *testing.B) {
			b.ReportAllocs()
			_, m := acked(version)
			s := new(scratch)
			for b.Loop() {
				s.out.Reset()
				s.packet.FixedHeader = packets.FixedHeader{Type: packets.Publish, Qos: 1}
				s.packet.ProtocolVersion, _ = wireVersion(version)
				s.packet.TopicName, s.packet.Payload, s.packet.PacketID = m.Topic, m.Payload, 7
				if err := s.packet.PublishEncode(&s.out); err != nil {
					b.Fatal(err)
				}
				s.packet = packets.Packet{}
			}
		})
	}
}

// BenchmarkIdle is the heap of a conversation that has published once and waits: without its
// socket (0.3 KB more in package net) and without the goroutine's stack, which are the device's.
func BenchmarkIdle(b *testing.B) {
	const devices = 20_000
	for b.Loop() {
		d := &Dialer{}
		conn := &memory{wrote: acking(false)}
		_, m := acked("3.1.1")
		all := make([]*conversation, devices)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		deadline := time.Now().Add(time.Hour)
		for i := range all {
			all[i] = established(d, conn)
			round(b, all[i], m, deadline)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/devices, "B/device")
		runtime.KeepAlive(all)
	}
}
