package coap

import (
	"encoding/binary"
	"errors"
)

// maxTokenSize bounds TokenSize, so that a response fits into what is read at once.
const maxTokenSize = 1024

var errTokenSize = errors.New("coap: tokens are at most 1,024 bytes long")

// form gives a token its length on the wire: TokenSize of it, the first 8 bytes of which are unique
// and the rest follows from them (RFC 8974 has long tokens for servers that keep state there; what is
// in ours does not matter). Shorter ones are cut: see ids.draw.
func (t token) form(dst []byte, size int) []byte {
	for i := range size {
		b := t[i%tokenSize]
		if i >= tokenSize {
			b += byte(i)
		}
		dst = append(dst, b)
	}
	return dst
}

// is reports whether the bytes are the token's form.
func (t token) is(wire []byte, size int) bool {
	if size == tokenSize { // the usual case
		return string(wire) == string(t[:])
	}
	if len(wire) != size {
		return false
	}
	for i, b := range wire {
		want := t[i%tokenSize]
		if i >= tokenSize {
			want += byte(i)
		}
		if b != want {
			return false
		}
	}
	return true
}

// tokenLength is the TKL of a token of size bytes: above 12 it says how many bytes hold the length
// (RFC 8974 section 2.1).
func tokenLength(size int) byte {
	switch {
	case size >= 13+256:
		return 14
	case size >= 13:
		return 13
	}
	return byte(size)
}

// appendTokenLength appends what the TKL alone does not say: one or two bytes of length from 13 on.
func appendTokenLength(dst []byte, size int) []byte {
	switch tokenLength(size) {
	case 13:
		dst = append(dst, byte(size-13))
	case 14:
		dst = binary.BigEndian.AppendUint16(dst, uint16(size-13-256))
	}
	return dst
}

// tokenBounds is where the token of a message with TKL above 8 lies.
func tokenBounds(b []byte) (from, to int, ok bool) {
	from = headerSize
	size := int(b[0] & 0xf)
	switch {
	case size == 13 && len(b) > from:
		size = 13 + int(b[from])
		from++
	case size == 14 && len(b) > from+1:
		size = 13 + 256 + int(binary.BigEndian.Uint16(b[from:]))
		from += 2
	case size >= 13:
		return 0, 0, false
	}
	return from, from + size, from+size <= len(b)
}
