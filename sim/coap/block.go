package coap

import (
	"bytes"

	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

const (
	largestSZX = 6         // blocks of 1,024 bytes
	bertSZX    = 7         // BERT (RFC 8323 section 6): as many of those as fit into a message; TCP only
	maxNum     = 1<<20 - 1 // 20 bits
	maxBody    = 1 << 16   // of what a peer sends in blocks: a device is small
)

// block is the value of a Block1 or Block2 option (RFC 7959 section 2.2).
type block struct {
	num  uint32
	more bool
	szx  uint8
}

func (b block) offset() int { return int(b.num) << shift(b.szx) }

// takes reports whether a payload of n bytes can be this block.
func (b block) takes(n int) bool {
	size := 1 << shift(b.szx)
	switch {
	case b.szx == bertSZX:
		return !b.more || n > 0 && n%size == 0
	case b.more:
		return n == size
	}
	return n <= size
}

// shift is how many bits of an offset are below the block's number.
func shift(szx uint8) uint8 { return min(szx, largestSZX) + 4 }

// value is the option's number.
func (b block) value() uint32 {
	v := b.num<<4 | uint32(b.szx)
	if b.more {
		v |= 8
	}
	return v
}

// parseBlock reads an option's bytes; false is one that is too long.
func parseBlock(v []byte) (b block, ok bool) {
	if len(v) > 3 {
		return b, false
	}
	n := number(v)
	b = block{num: n >> 4, more: n&8 != 0, szx: uint8(n & 7)}
	return b, true
}

// szxOf is the largest block size that is not above size; 0 is the default, 1,024.
func szxOf(size int) uint8 {
	szx := uint8(largestSZX)
	for size > 0 && szx > 0 && 16<<szx > size {
		szx--
	}
	return szx
}

// upload is a report on its way in blocks (Block1), without the socket. One block is in flight at a
// time; the exchange that carries it is the transport's.
type upload struct {
	target string
	code   codes.Code
	body   *[]byte // the whole payload; borrowed from the dialer
	cutting
	silent bool   // QoS 0: nobody waits for an event
	tag    uint32 // Request-Tag (RFC 9175 section 3) if tagged
	tagged bool
	offset int    // of the block in flight
	sends  uint16 // transmissions of the blocks before it
}

// block is the one in flight.
func (u *upload) block() block {
	return block{num: uint32(u.offset >> shift(u.szx)), more: u.offset+u.step < len(*u.body), szx: u.szx}
}

// part is its payload.
func (u *upload) part() []byte {
	return (*u.body)[u.offset:min(u.offset+u.step, len(*u.body))]
}

// ask is the request that carries it.
func (u *upload) ask() ask {
	return ask{
		code: u.code, target: u.target, payload: u.part(), block1: u.block(), size1: uint32(len(*u.body)),
		tag: u.tag, tagged: u.tagged,
	}
}

// shrink makes blocks as small as the peer wants them.
func (u *upload) shrink(szx uint8) {
	if szx < u.szx {
		u.cutting = cutting{szx, 16 << szx}
	}
}

// fits reports whether the numbers suffice for the body.
func (u *upload) fits() bool { return (len(*u.body)-1)>>shift(u.szx) <= maxNum }

// answer takes the response to the block in flight; b is its Block1 option, limit its Size1 option
// or 0. If next is true, the block that is then in flight is to be sent; else o is the report's end.
func (u *upload) answer(code codes.Code, b block, has bool, limit uint32) (next bool, o sim.Outcome) {
	sent := u.block()
	switch {
	case code>>5 == 2 && sent.more:
		// Any success acknowledges a block: one that is not 2.31 says that the server acts on each
		// by itself (section 2.3). It may ask for smaller ones from here on (figure 8).
		if !has || b.szx == sent.szx && b.num != sent.num {
			return false, sim.CoAPIncomplete
		}
		u.offset += u.step
		u.shrink(b.szx)
		if !u.fits() {
			return false, sim.CoAPTooLarge
		}
		return true, sim.OK
	case code == codes.Continue:
		return false, sim.CoAPIncomplete // more than there is
	case code == codes.RequestEntityTooLarge && has && b.szx < u.szx && (limit == 0 || int(limit) >= len(*u.body)):
		u.shrink(b.szx)
		u.offset = 0 // section 2.9.3; at most seven times, since sizes only shrink
		if u.fits() {
			return true, sim.OK
		}
	}
	return false, answered(code)
}

// download is a representation that arrives in blocks (Block2), without the socket.
type download struct {
	body []byte
	szx  uint8
	etag etag
}

// take adds a block. It is false if the block does not belong to what is there.
func (d *download) take(b block, tag etag, payload []byte) bool {
	first := len(d.body) == 0
	if b.offset() != len(d.body) || !b.takes(len(payload)) || !first && tag != d.etag ||
		len(d.body)+len(payload) > maxBody {
		return false
	}
	d.body = append(d.body, payload...)
	d.szx, d.etag = b.szx, tag
	return true
}

// next is the block to ask for.
func (d *download) next() block {
	return block{num: uint32(len(d.body) >> shift(d.szx)), szx: d.szx}
}

// etag is an entity tag (RFC 7252 section 5.10.6). The zero value is none.
type etag struct {
	size  uint8
	bytes [8]byte
}

func newETag(v []byte) (t etag) {
	if len(v) <= len(t.bytes) {
		t.size = uint8(copy(t.bytes[:], v))
	}
	return t
}

// number reads an option of format uint (RFC 7252 section 3.2).
func number(v []byte) (n uint32) {
	for _, b := range bytes.TrimLeft(v, "\x00") {
		n = n<<8 | uint32(b)
	}
	return n
}

// appendNumber appends the shortest form of n, which is nothing for 0.
func appendNumber(dst []byte, n uint32) []byte {
	for shift := 24; shift >= 0; shift -= 8 {
		if n>>shift != 0 {
			dst = append(dst, byte(n>>shift))
		}
	}
	return dst
}
