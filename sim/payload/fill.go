package payload

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Payloads may be filled up to a length (sim.Model.Size). Text is filled with spaces after its end, which JSON allows
// (RFC 8259 section 2). CBOR allows nothing after an item: it has a last member, or record, of zeros, whose length is
// always written in four bytes, so that any length can be reached.

// FillName is the member, or SenML record, that fills a payload in CBOR.
const FillName = "_p"

const (
	byteString = 2 << 5
	labelData  = 8 // RFC 8428 section 6
	fillHead   = 5 // bytes: type, and the length in four
)

// fillCBOR adds the head of the last member of a map.
func (b *builder) fillCBOR() error { return b.cbor(FillName) }

// fillSenML adds the last record of a pack.
func (b *builder) fillSenML() error {
	b.fixed = appendHead(b.fixed, mapping, 2)
	return b.cbor(labelName, FillName, labelData)
}

// filled is apart from Append, because devices have little stack. It fills the payload that begins at start in dst. One that is longer stays so.
//
//go:noinline
func (e *Encoder) filled(dst []byte, start int) []byte {
	n := e.size - (len(dst) - start)
	if e.binary {
		n = max(0, n-fillHead)
		dst = binary.BigEndian.AppendUint32(append(dst, byteString|26), uint32(n))
	}
	if n <= 0 {
		return dst
	}
	from := len(dst)
	dst = slices.Grow(dst, n)[:from+n]
	for i := range dst[from:] {
		dst[from+i] = e.blank
	}
	return dst
}

// setFill says how payloads of m are filled.
func (e *Encoder) setFill(m *sim.Model) {
	e.size, e.blank = m.Size, ' '
	if m.Encoding == sim.EncodingCBOR || m.Encoding == sim.EncodingSenMLCBOR {
		e.blank, e.binary = 0, true
	}
}

// Longest is about how long payloads of a model are at most, in bytes, before they are filled; id is the longest of a
// device. It is found by trying: no reading of the same signals is longer by more than a few digits.
func Longest(m *sim.Model, id string) (int, error) {
	bare := *m
	bare.Size = 0
	if m.Size > 0 && (m.Encoding == sim.EncodingCBOR || m.Encoding == sim.EncodingSenMLCBOR) {
		bare.Size = 1 // the member that fills is there, and empty
	}
	e, err := New(&bare)
	if err != nil {
		return 0, err
	}
	const tries, digits = 500, 7 // 10,000,000 messages and more: digits that the tries do not reach
	longest := 0
	var buf []byte
	for n := range uint32(tries) {
		due := time.Duration(n) * 97 * time.Second
		buf = e.Append(buf[:0], &Reading{ID: id, Key: uint64(n), Seq: n, Due: due, Time: time.Unix(0, 0).Add(due)})
		longest = max(longest, len(buf))
	}
	return longest + digits, nil
}
