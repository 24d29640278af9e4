package mqtt

import (
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// beginning is how long that part of a packet over the limit is which identifies it: of a PUBLISH the topic
// and the packet identifier, after a fixed header of so many bytes. body is what of the packet came so far; 0
// means that it is too little to tell. Only a server of 3.1.1, which cannot be told the limit, may send such a
// packet (5 section 3.1.2.11.4); what else it sends is never so long.
func (r *reader) beginning(head *packets.FixedHeader, body []byte, fixed int) (int, error) {
	if head.Type != packets.Publish {
		return 0, errMalformed
	}
	if r.told {
		return 0, errTooLarge
	}
	if len(body) < 2 {
		return 0, nil
	}
	n := 2 + (int(body[0])<<8 | int(body[1]))
	if head.Qos > 0 {
		n += 2
	}
	if n > head.Remaining {
		return 0, errMalformed
	}
	return fixed + n, nil
}

// keep keeps the beginning of a packet that is over the limit, and is whole bytes long: the packet is taken when
// the rest of it has come and was thrown away.
func (r *reader) keep(start []byte, whole int) []byte {
	if r.large == nil {
		r.large = r.pool.get()
		r.large.out.Write(start)
		r.from += uint8(len(start))
	}
	r.need, r.skip, r.over = uint32(len(start)), uint32(whole-len(start)), true
	r.skipped()
	return r.large.out.Bytes()
}

// skipped throws away what has come of a packet over the limit, and reports whether all of it has.
func (r *reader) skipped() bool {
	n := min(r.skip, uint32(r.to-r.from))
	r.from += uint8(n)
	r.skip -= n
	return r.skip == 0
}

// receiveOversized handles a PUBLISH that is larger than the device takes. It throws the message away and
// acknowledges it: if it did not, the server would send it again at each connection, or wait for ever with
// others.
func (c *conversation) receiveOversized(head *packets.FixedHeader, body []byte) error {
	c.takeNothing(head, body)
	c.event.Kind, c.event.Outcome = sim.EventOversized, sim.MQTTOverLimit
	return nil
}

// takeNothing acknowledges a message that was thrown away.
func (c *conversation) takeNothing(head *packets.FixedHeader, body []byte) {
	if head.Qos == 0 || len(body) < 2 {
		return
	}
	id := uint16(body[len(body)-2])<<8 | uint16(body[len(body)-1])
	if head.Qos == 1 {
		c.answer(packets.Puback, id, 0)
	} else {
		c.answer(packets.Pubrec, id, 0)
	}
}
