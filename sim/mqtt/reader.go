package mqtt

import (
	"io"

	"github.com/mochi-mqtt/server/v2/packets"
)

// defaultMaxPacket is the largest packet that a device accepts unless its binding says another, in bytes. In
// MQTT 5 the CONNECT announces it; 3.1.1 cannot, and there it models the limited memory of a device.
const defaultMaxPacket = 64 << 10

// types is a set of packet types, a bit each.
type types uint16

// What a server may send: CONNACK first, while a SUBSCRIBE is open its SUBACK, and then these. AUTH
// needs a method that was never offered, and UNSUBACK answers what a device never says.
const (
	typesHandshake types = 1 << packets.Connack
	typesSession   types = 1<<packets.Publish | 1<<packets.Puback | 1<<packets.Pubrec | 1<<packets.Pubrel |
		1<<packets.Pubcomp | 1<<packets.Pingresp | 1<<packets.Disconnect
)

// reader cuts a byte stream into packets. What a broker sends a publisher fits its small buffer,
// several packets at a time; a larger packet borrows a pooled one only while it is incomplete. Of a PUBLISH
// over the limit it keeps no more than what identifies it.
type reader struct {
	pool  *pool
	large *scratch // of a packet that does not fit buf
	need  uint32   // size of the packet in large, 0 once it was taken
	limit uint32   // of a packet, in bytes
	skip  uint32   // bytes of a packet over the limit that are still to come
	over  bool     // large holds the beginning of such a packet
	told  bool     // the server knows the limit
	legal types
	from  uint8 // buf[from:to] was read and not yet taken
	to    uint8
	buf   [96]byte
}

// packet takes the next packet, if it is complete. body is valid until the next call. If it is shorter than
// head.Remaining, the packet is a PUBLISH over the limit: body holds its topic and identifier, and the rest is
// thrown away. Any other packet over the limit is an error.
func (r *reader) packet() (head packets.FixedHeader, body []byte, ok bool, err error) {
	if !r.skipped() {
		return head, nil, false, nil
	}
	if r.large != nil && r.need == 0 {
		r.release()
	}
	data := r.buf[r.from:r.to]
	if r.large != nil {
		data = r.large.out.Bytes()
	}
	if len(data) == 0 {
		return head, nil, false, nil
	}
	// The first byte is checked at once: otherwise a wrong packet would be noticed only after its body came.
	if head.Decode(data[0]) != nil || r.legal>>head.Type&1 == 0 {
		return head, nil, false, errMalformed
	}
	length, n, err := remainingLength(data[1:])
	if err != nil || n == 0 {
		return head, nil, false, err
	}
	total := 1 + n + length
	head.Remaining = length
	if total > int(r.limit) {
		whole := total
		if total, err = r.beginning(&head, data[1+n:], 1+n); err != nil || total == 0 {
			return head, nil, false, err
		}
		if len(data) >= total && !r.over {
			if data = r.keep(data[:total], whole); r.skip > 0 {
				return head, nil, false, nil
			}
		}
	}
	if len(data) < total {
		if r.large == nil && total > len(r.buf) {
			r.large, r.need = r.pool.get(), uint32(total)
			r.large.out.Write(data)
			r.from, r.to = 0, 0
		}
		return head, nil, false, nil
	}
	if r.large != nil {
		r.need, r.over = 0, false
	} else {
		r.from += uint8(total)
	}
	return head, data[1+n : total], true, nil
}

// fill reads once from src.
func (r *reader) fill(src io.Reader) error { return r.filled(src.Read(r.space())) }

// space is where the next Read puts what comes: never beyond the packet in large.
//
//go:noinline
func (r *reader) space() []byte {
	if r.large != nil {
		out, missing := &r.large.out, int(r.skip)
		if missing == 0 {
			missing = int(r.need) - out.Len()
		}
		out.Grow(min(missing, max(512, out.Len()))) // only as much as really comes
		free := out.AvailableBuffer()
		return free[:min(cap(free), missing)]
	}
	if r.from > 0 {
		r.to = uint8(copy(r.buf[:], r.buf[r.from:r.to]))
		r.from = 0
	}
	return r.buf[r.to:]
}

// filled takes what a Read into space returned.
func (r *reader) filled(n int, err error) error {
	if r.skip > 0 {
		r.skip -= uint32(n)
	} else if r.large != nil {
		out := &r.large.out
		out.Write(out.AvailableBuffer()[:n])
	} else {
		r.to += uint8(n)
	}
	return readError(n, err)
}

// readError drops an error that came together with data: the next read returns it again.
func readError(n int, err error) error {
	if n > 0 {
		return nil
	}
	return err
}

// drop forgets everything that was read.
func (r *reader) drop() {
	r.release()
	r.from, r.to = 0, 0
}

// release gives the pooled buffer back.
func (r *reader) release() {
	if r.large != nil {
		r.pool.put(r.large)
		r.large = nil
	}
	r.need, r.skip, r.over = 0, 0, false
}

// remainingLength decodes the variable byte integer of a fixed header (5 section 1.5.5). n is 0
// while it is incomplete. It is not mochi's DecodeLength because that wants an io.ByteReader, which
// allocates, and follows a run of 0x80 without end, where the fifth byte is malformed.
func remainingLength(b []byte) (length, n int, err error) {
	for i, v := range b {
		if i == 4 {
			return 0, 0, errMalformed
		}
		length |= int(v&0x7F) << (7 * i)
		if v&0x80 == 0 {
			return length, i + 1, nil
		}
	}
	if len(b) >= 4 {
		return 0, 0, errMalformed
	}
	return 0, 0, nil
}
