package coap

import (
	"encoding/binary"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

const (
	tokenSize = 8

	// A message id may come back EXCHANGE_LIFETIME after its last use (RFC 7252 section 4.4). That
	// is watched for blocks of ids, not for each: eight instants instead of 65,536.
	idBlocks  = 8
	blockSize = 1 << 16 / idBlocks

	// idStride separates the first ids of consecutive attempts, which may share a port, as far as
	// any sequence can: it is 65,536 divided by the golden ratio.
	idStride = 40503
)

// Kinds of draws from the device's stream.
const (
	drawID = iota
	drawToken
	drawTimeout
	drawPause
)

type token [tokenSize]byte

// ids hands out a conversation's message ids, tokens and first timeouts.
type ids struct {
	key      uint64
	attempt  uint32
	first    uint16
	requests uint32 // draws so far
	used     uint64 // message ids so far
	spent    [idBlocks]time.Duration
}

func newIDs(key uint64, attempt int) ids {
	return ids{
		key: key, attempt: uint32(attempt),
		first: uint16(sim.Bits(key, sim.SaltCoAP, drawID)) + uint16(attempt)*idStride,
	}
}

// index places draw n of a kind in the stream of this attempt.
func (i *ids) index(kind uint64) uint64 {
	return uint64(i.attempt)<<34 | uint64(i.requests)<<2 | kind
}

// freeAt is when the next message id may be used, on the clock of take.
func (i *ids) freeAt(lifetime time.Duration) time.Duration {
	if i.used < 1<<16 || i.used%blockSize != 0 {
		return 0
	}
	return i.spent[i.used/blockSize%idBlocks] + lifetime
}

// take returns the next message id. The caller has seen that it is free.
func (i *ids) take(now time.Duration) uint16 {
	id := i.first + uint16(i.used)
	i.spent[i.used/blockSize%idBlocks] = now
	i.used++
	return id
}

// draw returns the token and the timeout draw of the next request. Tokens differ as long as their
// indexes do, since Bits is a bijection of them. Of one that is cut to size bytes below 8 that cannot
// be said: those count from the first message id, and come again when they have been through.
func (i *ids) draw(size int) (t token, timeout float64) {
	if size < tokenSize {
		binary.BigEndian.PutUint64(t[:], (uint64(i.first)+uint64(i.requests))<<(64-8*size))
	} else {
		binary.BigEndian.PutUint64(t[:], sim.Bits(i.key, sim.SaltCoAP, i.index(drawToken)))
	}
	timeout = sim.Draw(i.key, sim.SaltCoAP, i.index(drawTimeout))
	i.requests++
	return t, timeout
}

// pause is a draw in [0, 1) for a wait before the next request.
func (i *ids) pause() float64 { return sim.Draw(i.key, sim.SaltCoAP, i.index(drawPause)) }
