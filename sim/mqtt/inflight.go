package mqtt

import (
	"math"

	"github.com/myriad-iot/myriad/sim"
)

// stage is the answer that a message waits for.
type stage uint8

const (
	awaitsPuback stage = iota
	awaitsPubrec
	awaitsPubcomp // its PUBREL was sent
)

// unanswered is a PUBLISH or PUBREL whose answer did not come yet. id 0 marks one that was answered
// out of order.
type unanswered struct {
	seq    uint32
	id     uint16
	stage  stage
	stream sim.Stream
}

// subscribeID is the packet identifier of every SUBSCRIBE; no PUBLISH uses it.
const subscribeID = math.MaxUint16

// inflight holds the unanswered publishes in the order they were sent. Brokers acknowledge in that
// order (MQTT-4.6.0-2), so the search from the oldest finds the answer's message at once; a window
// of a few messages lives inside the conversation and costs no allocation.
type inflight struct {
	queue []unanswered
	head  int // of the oldest
	live  int
	few   [8]unanswered
}

// id returns a free packet identifier for seq, the same one whenever it can: the next free one where
// that is in use (MQTT-2.2.1-3).
func (f *inflight) id(seq uint32) uint16 {
	id := uint16(seq%(subscribeID-1)) + 1
	for f.find(id) >= 0 {
		if id++; id == subscribeID {
			id = 1
		}
	}
	return id
}

func (f *inflight) find(id uint16) int {
	for i := f.head; i < len(f.queue); i++ {
		if f.queue[i].id == id {
			return i
		}
	}
	return -1
}

// get returns what is unanswered with an identifier, nil if nothing is. It is valid until add or take.
func (f *inflight) get(id uint16) *unanswered {
	if i := f.find(id); i >= 0 && id != 0 {
		return &f.queue[i]
	}
	return nil
}

func (f *inflight) add(id uint16, m *sim.Message, s stage) {
	if f.queue == nil {
		f.queue = f.few[:0]
	}
	if len(f.queue) == cap(f.queue) && f.live < len(f.queue) {
		f.compact()
	}
	f.queue = append(f.queue, unanswered{id: id, seq: m.Seq, stream: m.Stream, stage: s})
	f.live++
}

func (f *inflight) compact() {
	kept := f.queue[:0]
	for _, u := range f.queue[f.head:] {
		if u.id != 0 {
			kept = append(kept, u)
		}
	}
	f.queue, f.head = kept, 0
}

// take removes id and returns its message; false if it is not in flight.
func (f *inflight) take(id uint16) (taken unanswered, ok bool) {
	u := f.get(id)
	if u == nil {
		return taken, false
	}
	taken, u.id = *u, 0
	f.live--
	for f.head < len(f.queue) && f.queue[f.head].id == 0 {
		f.head++
	}
	if f.live == 0 {
		f.queue, f.head = f.queue[:0], 0
	}
	return taken, true
}
