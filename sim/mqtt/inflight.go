package mqtt

// unanswered is a QoS 1 PUBLISH without its PUBACK. id 0 marks one that was answered out of order.
type unanswered struct {
	id  uint16
	seq uint32
}

// inflight holds the unanswered publishes in the order they were sent. Brokers acknowledge in that
// order (MQTT-4.6.0-2), so the search from the oldest finds the answer's message at once; a window
// of a few messages lives inside the conversation and costs no allocation.
type inflight struct {
	queue []unanswered
	head  int // of the oldest
	live  int
	few   [8]unanswered
}

// id returns the packet identifier for seq. It is a function of seq, so that a message that is
// sent again on a resumed session carries its original identifier (MQTT-4.4.0-1) and nobody has to
// remember it; only where that one is in use does it take the next free one (MQTT-2.2.1-3).
func (f *inflight) id(seq uint32) uint16 {
	id := uint16(seq%0xFFFF) + 1
	for f.find(id) >= 0 {
		if id++; id == 0 {
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

func (f *inflight) add(id uint16, seq uint32) {
	if f.queue == nil {
		f.queue = f.few[:0]
	}
	if len(f.queue) == cap(f.queue) && f.live < len(f.queue) {
		f.compact()
	}
	f.queue = append(f.queue, unanswered{id: id, seq: seq})
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
func (f *inflight) take(id uint16) (seq uint32, ok bool) {
	i := f.find(id)
	if i < 0 || id == 0 {
		return 0, false
	}
	seq = f.queue[i].seq
	f.queue[i].id = 0
	f.live--
	for f.head < len(f.queue) && f.queue[f.head].id == 0 {
		f.head++
	}
	if f.live == 0 {
		f.queue, f.head = f.queue[:0], 0
	}
	return seq, true
}
