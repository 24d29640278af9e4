package mqtt

import (
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

// receiveMaximum is how many QoS 1 and 2 messages a version 5 server may send before we acknowledge them.
const receiveMaximum = 20

// maxEarly bounds the messages, in bytes, that a server may send before it answers SUBSCRIBE.
const maxEarly = 4 * defaultMaxPacket

// extra is the state that only conversations with incoming messages or topic aliases need.
type extra struct {
	inbound   sim.Inbound // the one of the last event
	early     []byte      // packets that came before the SUBACK
	taken     []uint16    // sorted: QoS 2 messages that came and wait for their PUBREL
	names     [][]byte    // topics by the aliases that the server defined, from 1
	given     []string    // topics by the aliases that we defined, from 1
	aliases   int         // that we may define
	accepts   int         // aliases that the server may define
	redirect  string      // from DISCONNECT
	oversized bool        // a packet was thrown away before the SUBACK, and nobody knows yet
	denied    bool        // as in kept
	dismissed bool        // the server sent DISCONNECT, with reason
	reason    byte
}

func (c *conversation) rare() *extra {
	if c.extra == nil {
		c.extra = new(extra)
	}
	return c.extra
}

// alias returns the alias of a topic, 0 if it has none and none is left, and whether the server knows
// it already.
func (e *extra) alias(topic string) (alias uint16, known bool) {
	if i := slices.Index(e.given, topic); i >= 0 {
		return uint16(i + 1), true
	}
	if len(e.given) >= e.aliases {
		return 0, false
	}
	return uint16(len(e.given) + 1), false
}

// resolve returns the topic for the topic and alias of a server's PUBLISH (5 section 3.3.2.3.4).
func (e *extra) resolve(topic []byte, alias uint16) ([]byte, error) {
	if alias == 0 || int(alias) > e.accepts {
		return nil, errAlias
	}
	for int(alias) > len(e.names) {
		e.names = append(e.names, nil)
	}
	if len(topic) > 0 {
		e.names[alias-1] = append(e.names[alias-1][:0], topic...)
		return topic, nil
	}
	if len(e.names[alias-1]) == 0 {
		return nil, errProtocol
	}
	return e.names[alias-1], nil
}

// take notes a QoS 2 message as received; false if it was noted before.
func (e *extra) take(id uint16) bool {
	i, had := slices.BinarySearch(e.taken, id)
	if !had {
		e.taken = slices.Insert(e.taken, i, id)
	}
	return !had
}

// release forgets a QoS 2 message; false if it was not there.
func (e *extra) release(id uint16) bool {
	i, had := slices.BinarySearch(e.taken, id)
	if had {
		e.taken = slices.Delete(e.taken, i, i+1)
	}
	return had
}

// Dismissal implements [sim.Dismissed].
func (c *conversation) Dismissal() (reason byte, said bool) {
	if c.extra == nil {
		return 0, false
	}
	return c.extra.reason, c.extra.dismissed
}

// Redirect is the Server Reference of the DISCONNECT that ended the conversation, "" if there was none.
func (c *conversation) Redirect() string {
	if c.extra == nil {
		return ""
	}
	return c.extra.redirect
}
