package sim

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"time"
)

// StampSize is the length of a stamp in a payload.
const StampSize = 4 + 32

const stampMark = "MYR1"

// Stamp identifies one message wherever it is seen. In a payload it is 36 characters of ASCII
// that every encoding carries as text unchanged: the mark "MYR1" and 24 bytes in unpadded
// base64url: run (4), stream (4 bits) and fleet (12 bits), device (4), seq (4), due in microseconds
// since T0 (6), CRC-32 (IEEE) of the twenty before it (4), all big-endian.
type Stamp struct {
	Run    uint32 // differs between runs, which may share a broker
	Stream Stream // below MaxStreams
	Fleet  uint16 // below MaxFleets
	Device Ordinal
	Seq    uint32 // from 0 in the device's stream, none left out
	Due    Instant
}

// The two numbers that share the sixteen bits of a stamp's third field.
const (
	streamBits = 4
	fleetBits  = 12
	_          = uint(streamBits+fleetBits-16) + uint(16-streamBits-fleetBits) // neither may be negative
)

// MaxFleets is the number of fleets that a plan may have: a stamp, and the recorder's cells, have no
// room for more.
const MaxFleets = 1 << fleetBits

// Origin is the stream and the fleet in the sixteen bits that stamps and journals have for them.
func (s Stamp) Origin() uint16 { return uint16(s.Stream)<<fleetBits | s.Fleet&(MaxFleets-1) }

// ParseOrigin is the inverse of [Stamp.Origin].
func ParseOrigin(v uint16) (Stream, uint16) { return Stream(v >> fleetBits), v & (MaxFleets - 1) }

// Append appends the stamp's text to dst. Due is rounded down to microseconds; it must lie within
// [0, 8.9 years).
func (s Stamp) Append(dst []byte) []byte {
	var b [24]byte
	binary.BigEndian.PutUint32(b[0:], s.Run)
	binary.BigEndian.PutUint16(b[4:], s.Origin())
	binary.BigEndian.PutUint32(b[6:], uint32(s.Device))
	binary.BigEndian.PutUint32(b[10:], s.Seq)
	due := uint64(s.Due / time.Microsecond)
	binary.BigEndian.PutUint16(b[14:], uint16(due>>32))
	binary.BigEndian.PutUint32(b[16:], uint32(due))
	binary.BigEndian.PutUint32(b[20:], checksum(b[:20]))
	dst = append(dst, stampMark...)
	return base64.RawURLEncoding.AppendEncode(dst, b[:])
}

// checksum is CRC-32 (IEEE) byte by byte: hash/crc32 calls through a variable, which would move its
// argument, and so a buffer per message, to the heap.
func checksum(b []byte) uint32 {
	crc := ^uint32(0)
	for _, c := range b {
		crc = crc32.IEEETable[byte(crc)^c] ^ crc>>8
	}
	return ^crc
}

// FindStamp returns the first whole stamp in payload. It does not allocate.
func FindStamp(payload []byte) (Stamp, bool) {
	for {
		i := bytes.Index(payload, []byte(stampMark))
		if i < 0 || len(payload)-i < StampSize {
			return Stamp{}, false
		}
		payload = payload[i+len(stampMark):]
		var b [24]byte
		if n, err := base64.RawURLEncoding.Decode(b[:], payload[:32]); err != nil || n != len(b) {
			continue
		}
		if checksum(b[:20]) != binary.BigEndian.Uint32(b[20:]) {
			continue
		}
		stream, fleet := ParseOrigin(binary.BigEndian.Uint16(b[4:]))
		due := uint64(binary.BigEndian.Uint16(b[14:]))<<32 | uint64(binary.BigEndian.Uint32(b[16:]))
		return Stamp{
			Run:    binary.BigEndian.Uint32(b[0:]),
			Stream: stream,
			Fleet:  fleet,
			Device: Ordinal(binary.BigEndian.Uint32(b[6:])),
			Seq:    binary.BigEndian.Uint32(b[10:]),
			Due:    Instant(due) * time.Microsecond,
		}, true
	}
}
