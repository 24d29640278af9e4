package coap

import (
	"encoding/binary"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/tcp/coder"

	"github.com/myriad-iot/myriad/sim"
)

// The signals and their options (RFC 8323 section 5).
const (
	codeCSM     codes.Code = 7<<5 | 1
	codePing    codes.Code = 7<<5 | 2
	codePong    codes.Code = 7<<5 | 3
	codeRelease codes.Code = 7<<5 | 4
	codeAbort   codes.Code = 7<<5 | 5

	optionMaxMessageSize message.OptionID = 2 // of CSM
	optionBlockWise      message.OptionID = 4 // of CSM
	optionTokenLength    message.OptionID = 6 // of CSM (RFC 8974 section 2.2.1)
	optionBadCSM         message.OptionID = 2 // of Abort
)

const (
	baseMessage = 1152 // what a peer takes that has not said otherwise (section 5.3.1)
	maxMessage  = 8192 // what we take, and say so
)

// frame is where the bytes of the stream are gathered.
func (c *Stream) frame() []byte {
	if c.large != nil {
		return (*c.large)[:cap(*c.large)]
	}
	return c.small[:]
}

// front is where the parts of a message are (RFC 8323 section 3.2, RFC 8974 section 2.1).
type front struct {
	code, token, rest int
	size              int // of the whole message
}

// frontOf reads the front of the message that begins with b; ok is false if b is too short for that.
func frontOf(b []byte) (f front, ok bool) {
	if len(b) == 0 {
		return f, false
	}
	n, ext := int(b[0]>>4), 0
	switch n {
	case 13:
		ext = 1
	case 14:
		ext = 2
	case 15:
		ext = 4
	}
	f.code = 1 + ext
	if len(b) < f.code {
		return f, false
	}
	switch n {
	case 13:
		n = coder.MessageLength13Base + int(b[1])
	case 14:
		n = coder.MessageLength14Base + int(binary.BigEndian.Uint16(b[1:]))
	case 15:
		n = coder.MessageLength15Base + int(min(binary.BigEndian.Uint32(b[1:]), 1<<30))
	}
	f.token = f.code + 1
	size := int(b[0] & 15)
	switch {
	case size == 13 && len(b) > f.token:
		size = 13 + int(b[f.token])
		f.token++
	case size == 14 && len(b) > f.token+1:
		size = 13 + 256 + int(binary.BigEndian.Uint16(b[f.token:]))
		f.token += 2
	case size == 13, size == 14:
		return f, false
	}
	f.rest = f.token + size
	f.size = f.rest + n
	return f, true
}

// allows reports whether the message that begins with b may have its TKL: above 8 only if ours have.
func (c *Stream) allows(b []byte) bool {
	tkl := b[0] & 15
	return tkl <= tokenSize || tkl < 15 && c.d.tokenSize > tokenSize
}

// cut lets a payload travel whole if it fits into what the peer takes, unless the binding says how long
// blocks are. BERT is for peers whose CSM says that they know it (RFC 8323 section 5.3.2).
func (c *Stream) cut(s *scratch) cutting {
	a, p := &s.ask, &c.d.Binding.CoAP
	n := len(a.payload)
	whole := p.BlockSize <= 0 || n <= 16<<c.d.szx
	if whole && n+4*len(a.target)+len(c.d.names.of(c.host))+c.d.tokenSize+32 <= int(c.limit) { // the usual case
		return cutting{}
	}
	if c.compose(s) != nil {
		return cutting{} // begin returns the error
	}
	size := contentSize(&s.m)
	room := int(c.limit) - frontSize(size, c.d.tokenSize) - (size - n)
	if whole && n <= room {
		return cutting{}
	}
	const more = 5 + 6 + 6 // the longest Block1, Size1 and Request-Tag
	room -= more
	if p.BlockSize <= 0 && c.blocks && c.limit > baseMessage && room >= 1<<shift(bertSZX) {
		return cutting{bertSZX, room &^ (1<<shift(bertSZX) - 1)}
	}
	for szx := int(c.d.szx); szx >= 0; szx-- {
		if step := 16 << szx; step <= room {
			return cutting{uint8(szx), step}
		}
	}
	return cutting{step: -1}
}

// frontSize is the length of what is before the n bytes of options and payload, token included.
func frontSize(n, token int) int {
	size := 2 + token
	for _, least := range []int{coder.MessageLength13Base, coder.MessageLength14Base} {
		if n >= least {
			size++
		}
		if token >= least {
			size++
		}
	}
	if n >= coder.MessageLength15Base {
		size += 2
	}
	return size
}

// encode frames m. The codec's own Encode allocates for lengths above 12.
func (c *Stream) encode(m *message.Message) *[]byte {
	n := contentSize(m)
	p := c.d.getPacket()
	if most := frontSize(n, len(m.Token)) + n; cap(*p) < most {
		*p = make([]byte, 0, most)
	}
	b, tkl := (*p)[:0], tokenLength(len(m.Token))
	switch {
	case n < coder.MessageLength13Base:
		b = append(b, byte(n)<<4|tkl)
	case n < coder.MessageLength14Base:
		b = append(b, 13<<4|tkl, byte(n-coder.MessageLength13Base))
	case n < coder.MessageLength15Base:
		b = binary.BigEndian.AppendUint16(append(b, 14<<4|tkl), uint16(n-coder.MessageLength14Base))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 15<<4|tkl), uint32(n-coder.MessageLength15Base))
	}
	b = append(b, byte(m.Code))
	b = append(appendTokenLength(b, len(m.Token)), m.Token...)
	*p = appendContent(b, m)
	return p
}

// handleAll handles the messages that have come whole, up to the first that makes an event.
func (c *Stream) handleAll() {
	c.consume()
	for c.over == sim.OK {
		b := c.frame()[:c.n]
		f, known := frontOf(b)
		switch {
		case len(b) > 0 && !c.allows(b), known && f.size > maxMessage:
			c.abort()
		case known && f.size > len(c.frame()):
			c.grow(f.size)
			return
		case !known || f.size > c.n:
			c.finished()
			return
		default:
			c.handle(b[:f.size], f, time.Now())
			c.spent = f.size
			if c.event.Kind == sim.EventInbound {
				return // the event points into the frame
			}
			c.consume()
			if c.event.Kind != sim.EventNone {
				return
			}
		}
	}
}

// consume makes room for what comes after the messages that were handled.
func (c *Stream) consume() {
	if c.spent == 0 {
		return
	}
	b := c.frame()
	c.n, c.spent = copy(b, b[c.spent:c.n]), 0
	if c.n <= len(c.small) {
		c.shrink()
	}
}

// finished ends a conversation that the peer wants to end, once nothing is open any more.
func (c *Stream) finished() {
	if c.leaving && c.busy() == 0 {
		c.over = sim.CoAPAborted
	}
}

// grow makes room for a message of n bytes.
func (c *Stream) grow(n int) {
	p := c.d.getPacket()
	if cap(*p) < n {
		*p = make([]byte, n)
	}
	*p = (*p)[:cap(*p)]
	copy(*p, c.frame()[:c.n])
	c.shrink()
	c.large = p
}

// shrink gives the large buffer back; at most len(small) bytes of it are kept.
func (c *Stream) shrink() {
	if c.large != nil {
		copy(c.small[:], (*c.large)[:min(c.n, len(*c.large))])
		c.d.putPacket(c.large)
		c.large = nil
	}
}

// abort tells the peer that it broke the protocol (section 5.6).
func (c *Stream) abort() {
	c.signal(codeAbort, nil, nil)
	c.over = sim.CoAPMalformed
}

// handle does what one whole message asks for.
func (c *Stream) handle(b []byte, f front, now time.Time) {
	s := c.d.getScratch()
	defer c.d.scratch.Put(s)
	s.m = message.Message{Options: s.options[:0:maxOptions]}
	head := coder.MessageHeader{Code: codes.Code(b[f.code]), Token: b[f.token:f.rest]}
	if _, err := coder.DefaultCoder.DecodeWithHeader(b[f.rest:], head, &s.m); err != nil {
		c.abort()
		return
	}
	if !c.settled && s.m.Code != codeCSM { // section 5.3: it MUST be the first
		if s.m.Code == codeAbort {
			c.over = sim.CoAPAborted
		} else {
			c.abort()
		}
		return
	}
	c.heard, c.pinged = now, false
	switch class := s.m.Code >> 5; {
	case class == 7:
		c.signalled(s)
	case s.m.Code == codes.Empty: // section 3.4: ignored
	case class == 0:
		c.refuse(s)
	case class >= 2 && class <= 5 && !s.critical():
		if e := c.byToken(s.m.Token); e != nil {
			c.answer(e, s, now)
			return
		}
		if i := c.watching(s.m.Token); i >= 0 {
			c.notified(i, s, false, now)
			return
		}
	}
}

func (c *Stream) signalled(s *scratch) {
	for i := range s.m.Options {
		if id := s.m.Options[i].ID; id&1 == 1 { // critical, and none of those is known (section 5.2)
			value := binary.BigEndian.AppendUint16(nil, uint16(id))
			c.signal(codeAbort, nil, message.Options{{ID: optionBadCSM, Value: value}})
			c.over = sim.CoAPMalformed
			return
		}
	}
	switch s.m.Code {
	case codeCSM:
		c.settled = true
		for i := range s.m.Options {
			o := &s.m.Options[i]
			switch {
			case len(o.Value) > 4:
			case o.ID == optionMaxMessageSize:
				c.limit = number(o.Value)
			case o.ID == optionBlockWise:
				c.blocks = true
			case o.ID == optionTokenLength:
				c.tokens = max(number(o.Value), tokenSize)
			}
		}
	case codePing:
		c.signal(codePong, s.m.Token, nil)
	case codeRelease:
		c.leaving = true
	case codeAbort:
		c.over = sim.CoAPAborted
	}
}

// refuse answers a request: a device that only reports has no resources.
func (c *Stream) refuse(s *scratch) {
	code := refusal(s)
	s.m.Options, s.m.Payload, s.m.Code = s.m.Options[:0], nil, code
	c.emit(&s.m)
}

// signal sends a signal without a payload.
func (c *Stream) signal(code codes.Code, tok []byte, options message.Options) sim.Outcome {
	return c.emit(&message.Message{Code: code, Token: tok, Options: options})
}

func (c *Stream) emit(m *message.Message) sim.Outcome {
	p := c.encode(m)
	defer c.d.putPacket(p)
	return c.write(*p)
}
