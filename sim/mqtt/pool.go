package mqtt

import (
	"bytes"
	"sync"

	"github.com/mochi-mqtt/server/v2/packets"
)

// scratch is what encoding or decoding a packet needs. packets.Packet is close to a kilobyte: kept
// in every conversation or put on every stack it would be most of what a device costs.
type scratch struct {
	packet packets.Packet
	out    bytes.Buffer
}

// pool lends scratches to all conversations of a dialer. The zero value is ready.
type pool struct{ free sync.Pool }

func (p *pool) get() *scratch {
	if s, ok := p.free.Get().(*scratch); ok {
		return s
	}
	return new(scratch)
}

func (p *pool) put(s *scratch) {
	if s.out.Cap() > 2*defaultMaxPacket {
		return // do not keep the buffer of one very large payload for ever
	}
	s.packet = packets.Packet{}
	s.out.Reset()
	p.free.Put(s)
}
