package link

import "github.com/myriad-iot/myriad/sim"

// heldMost is how many bytes a direction holds. Of a stream no more is taken then; a datagram that comes
// then is lost.
const heldMost = 256 << 10

// packet is what is held until it arrives.
type packet struct {
	data    []byte
	err     error       // the end of a stream, or an ICMP error
	leaves  sim.Instant // when the sender has transmitted it
	arrives sim.Instant
}

// held are packets on their way, in the order in which they arrive. The zero value is empty, and an empty
// one keeps no memory.
type held struct {
	list []packet
	size int // bytes
}

// push adds a packet, behind those that arrive at the same instant.
func (h *held) push(p packet) {
	h.size += len(p.data)
	h.list = append(h.list, p)
	for i := len(h.list) - 1; i > 0 && h.list[i-1].arrives > p.arrives; i-- {
		h.list[i-1], h.list[i] = p, h.list[i-1]
	}
}

func (h *held) empty() bool { return len(h.list) == 0 }

// due is the packet that has arrived by the instant; nil if there is none.
func (h *held) due(at sim.Instant) *packet {
	if len(h.list) == 0 || h.list[0].arrives > at {
		return nil
	}
	return &h.list[0]
}

// next is when the first packet arrives; never if there is none.
func (h *held) next() sim.Instant {
	if len(h.list) == 0 {
		return never
	}
	return h.list[0].arrives
}

// latest is when the last packet arrives, or at if that is later.
func (h *held) latest(at sim.Instant) sim.Instant {
	if n := len(h.list); n > 0 {
		at = max(at, h.list[n-1].arrives)
	}
	return at
}

// take takes n bytes off the first packet.
func (h *held) take(n int) {
	h.list[0].data = h.list[0].data[n:]
	h.size -= n
}

// pop takes the first packet out.
func (h *held) pop() {
	h.size -= len(h.list[0].data)
	h.list[0] = packet{}
	if h.list = h.list[1:]; len(h.list) == 0 {
		h.list = nil
	}
}

// recall takes out what has not left by the instant, when its sender is no more.
func (h *held) recall(at sim.Instant) {
	var kept held
	for _, p := range h.list {
		if p.leaves <= at {
			kept.push(p)
		}
	}
	*h = kept
}
