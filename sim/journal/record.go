package journal

import (
	"encoding/binary"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// recordSize is the length of a record: wall time in nanoseconds since 1970 (8), run (4), fleet (2),
// device (4), seq (4), due in microseconds (6), all big-endian. It is far below PIPE_BUF, so that a
// pipe takes a record whole or not at all.
const recordSize = 28

// record is one message that was accepted, or received.
type record struct {
	at    int64 // wall clock, nanoseconds since 1970
	stamp sim.Stamp
}

// append adds the record's bytes to b.
func (r *record) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(r.at))
	b = binary.BigEndian.AppendUint32(b, r.stamp.Run)
	b = binary.BigEndian.AppendUint16(b, r.stamp.Origin())
	b = binary.BigEndian.AppendUint32(b, uint32(r.stamp.Device))
	b = binary.BigEndian.AppendUint32(b, r.stamp.Seq)
	due := uint64(r.stamp.Due / time.Microsecond)
	b = binary.BigEndian.AppendUint16(b, uint16(due>>32))
	return binary.BigEndian.AppendUint32(b, uint32(due))
}

// decode reads the record at the head of b, which holds at least recordSize bytes.
func decode(b []byte) record {
	stream, fleet := sim.ParseOrigin(binary.BigEndian.Uint16(b[12:]))
	due := uint64(binary.BigEndian.Uint16(b[22:]))<<32 | uint64(binary.BigEndian.Uint32(b[24:]))
	return record{
		at: int64(binary.BigEndian.Uint64(b[0:])),
		stamp: sim.Stamp{
			Run:    binary.BigEndian.Uint32(b[8:]),
			Stream: stream,
			Fleet:  fleet,
			Device: sim.Ordinal(binary.BigEndian.Uint32(b[14:])),
			Seq:    binary.BigEndian.Uint32(b[18:]),
			Due:    sim.Instant(due) * time.Microsecond,
		},
	}
}
