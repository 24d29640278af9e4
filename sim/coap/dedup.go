package coap

import "time"

// handled remembers the confirmable responses that were acknowledged lately, so that a copy of one
// is acknowledged again instead of being refused (RFC 7252 section 4.5). Our other replies follow
// from the message alone and need no memory: a copy gets the same. Eight suffice, because a device
// has few requests open; and a peer cannot make it open more.
type handled struct {
	ids   [8]uint16
	until [8]time.Duration
	next  uint8
}

func (h *handled) has(id uint16, now time.Duration) bool {
	for i, v := range h.ids {
		if v == id && now < h.until[i] {
			return true
		}
	}
	return false
}

func (h *handled) add(id uint16, until time.Duration) {
	h.ids[h.next], h.until[h.next] = id, until
	h.next = (h.next + 1) % uint8(len(h.ids))
}
