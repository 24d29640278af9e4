package ledger

// channel is where the far end saw a message.
type channel uint8

const (
	received channel = iota // by a subscriber
	stored                  // by the backend
	channels
)

// receipt is the far end's side of the ledger for one stream of a device. The lock of its shard guards it.
type receipt struct {
	seen       [channels]Set
	duplicated [channels]uint32
	reordered  [channels]uint32
	phantom    *Set // seen before they were due: never sent by the device
}

// see enters one sighting; due is the number of messages that have come due so far. It returns
// whether this is the first copy in its channel, and anywhere.
func (r *receipt) see(c channel, seq, due uint32) (first, anywhere bool) {
	if seq >= due {
		if r.phantom == nil {
			r.phantom = new(Set)
		}
		r.phantom.Add(seq)
		return false, false
	}
	highest, any := r.seen[c].Max()
	if !r.seen[c].Add(seq) {
		r.duplicated[c]++
		return false, false
	}
	if any && seq < highest {
		r.reordered[c]++
	}
	return true, !r.seen[1-c].Has(seq)
}
