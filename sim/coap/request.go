package coap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
)

const (
	maxOptionValue = 255 // Uri-Path and Uri-Query: RFC 7252 section 5.10
	packetSize     = 256 // to begin with; packets grow to what the fleet's reports need
)

// Methods of RFC 8132, and its option, and RFC 9175's, which the codec does not name.
const (
	codeFETCH  codes.Code = 5
	codePATCH  codes.Code = 6
	codeIPATCH codes.Code = 7

	optionRequestTag message.OptionID = 292
)

var (
	errOptionTooLong = errors.New("coap: a path segment or query parameter is longer than 255 bytes")
	errManyOptions   = errors.New("coap: more than 31 path segments and query parameters")
)

// methodOf is the code of a binding's method.
func methodOf(name string) (codes.Code, error) {
	switch strings.ToUpper(name) {
	case "", "POST":
		return codes.POST, nil
	case "PUT":
		return codes.PUT, nil
	case "FETCH":
		return codeFETCH, nil
	case "PATCH":
		return codePATCH, nil
	case "IPATCH":
		return codeIPATCH, nil
	}
	return 0, fmt.Errorf("coap: reports cannot be sent with method %q", name)
}

// watch is what a GET says about the relation that it belongs to (RFC 7641 section 2).
type watch uint8

const (
	watchNone watch = iota
	watchOn         // Observe: 0
	watchOff        // Observe: 1
)

// ask is what a request says, whatever carries it.
type ask struct {
	code    codes.Code
	target  string // as Message.Topic
	payload []byte
	observe watch
	etag    etag   // of what the client has
	block1  block  // of a payload that is a part, if size1 is above 0
	size1   uint32 // the whole payload's length; sent with block 0 only
	block2  block  // to be sent, if not the zero value
	tag     uint32 // Request-Tag, if tagged
	tagged  bool
	own     *own // of a device's own request, instead of target; else nil
}

// compose makes s.m what s.ask says, but for what the transport adds: type, message id and token. Only
// the payload is still s.ask's: it is not copied.
func (d *Dialer) compose(s *scratch) (err error) {
	a := &s.ask
	s.m.Options = s.options[:0]
	// Values are cut from the text, which may move while it grows: they stay where they were.
	s.text = append(s.text[:0], s.host...)
	if s.host != "" {
		s.m.Options = append(s.m.Options, message.Option{ID: message.URIHost, Value: s.text})
	}
	if a.own != nil {
		return s.fetching()
	}
	s.text = append(s.text, a.target...)
	target := s.text[len(s.host):]
	if a.etag.size > 0 || a.observe != watchNone {
		s.watching()
	}
	if s.m.Options, err = d.options(s.m.Options, target, len(a.payload) > 0); err != nil {
		return err
	}
	if a.block2 != (block{}) || a.size1 > 0 || a.tagged {
		s.blocks()
	}
	s.m.Code, s.m.Payload = a.code, a.payload
	return nil
}

// watching appends the options about observing.
//
//go:noinline
func (s *scratch) watching() {
	a := &s.ask
	if a.etag.size > 0 {
		s.opaque(message.ETag, a.etag.bytes[:a.etag.size])
	}
	if a.observe != watchNone {
		s.number(message.Observe, uint32(a.observe-watchOn))
	}
}

// blocks appends the options about transfers in blocks.
//
//go:noinline
func (s *scratch) blocks() {
	a := &s.ask
	if a.block2 != (block{}) || a.own != nil && a.own.wish && !a.block1.more {
		s.number(message.Block2, a.block2.value())
	}
	if a.size1 > 0 {
		s.number(message.Block1, a.block1.value())
	}
	if a.own != nil && a.own.first {
		s.number(message.Size2, 0)
	}
	if a.size1 > 0 && a.block1.num == 0 {
		s.number(message.Size1, a.size1)
	}
	if a.tagged {
		s.number(optionRequestTag, a.tag)
	}
}

func (s *scratch) opaque(id message.OptionID, v []byte) {
	from := len(s.text)
	s.text = append(s.text, v...)
	s.m.Options = append(s.m.Options, message.Option{ID: id, Value: s.text[from:]})
}

func (s *scratch) number(id message.OptionID, n uint32) {
	from := len(s.text)
	s.text = appendNumber(s.text, n)
	s.m.Options = append(s.m.Options, message.Option{ID: id, Value: s.text[from:len(s.text):len(s.text)]})
}

// request encodes s.ask, for UDP. The packet is the caller's to give back.
func (d *Dialer) request(s *scratch, kind message.Type, id uint16, tok token) (*[]byte, error) {
	if err := d.compose(s); err != nil {
		return nil, err
	}
	return d.encode(s, kind, id, tok), nil
}

// options appends the options of a request to topic, in the ascending order that the wire needs.
func (d *Dialer) options(dst message.Options, topic []byte, content bool) (message.Options, error) {
	path, query, _ := bytes.Cut(bytes.TrimPrefix(topic, []byte("/")), []byte("?"))
	dst, err := split(dst, message.URIPath, path, '/')
	if err != nil {
		return nil, err
	}
	if content {
		value := []byte(nil) // 0 is encoded as nothing (RFC 7252 section 3.2)
		if d.ContentFormat > 0 {
			value = d.format[2-formatSize(d.ContentFormat):]
		}
		dst = append(dst, message.Option{ID: message.ContentFormat, Value: value})
	}
	return split(dst, message.URIQuery, query, '&')
}

func formatSize(f MediaType) int {
	if f > 255 {
		return 2
	}
	return 1
}

func split(dst message.Options, id message.OptionID, text []byte, sep byte) (message.Options, error) {
	for more := len(text) > 0; more; {
		value := text
		i := bytes.IndexByte(text, sep)
		if more = i >= 0; more {
			value, text = text[:i], text[i+1:]
		}
		if len(value) > maxOptionValue {
			return nil, errOptionTooLong
		}
		if len(dst) >= maxOptions-1 { // one is Content-Format's
			return nil, errManyOptions
		}
		dst = append(dst, message.Option{ID: id, Value: value})
	}
	return dst, nil
}

// emptyPacket is a confirmable message without anything: a ping.
func (d *Dialer) emptyPacket(id uint16) *[]byte {
	p := d.getPacket()
	*p = append((*p)[:0], 1<<6|byte(message.Confirmable)<<4, byte(codes.Empty), byte(id>>8), byte(id))
	return p
}

// encode writes s.m with a header (RFC 7252 section 3). It is ours because the codec knows no token above 8
// bytes, and because it takes messages by value and measures them first: its kilobyte of stack made every device
// grow its own for each report, which was a tenth of a fleet's time.
//
//go:noinline
func (d *Dialer) encode(s *scratch, kind message.Type, id uint16, tok token) *[]byte {
	p := d.getPacket()
	b := append((*p)[:0], version<<6|byte(kind)<<4|tokenLength(d.tokenSize), byte(s.m.Code), byte(id>>8), byte(id))
	b = tok.form(appendTokenLength(b, d.tokenSize), d.tokenSize)
	*p = appendContent(b, &s.m)
	return p
}

// appendContent appends what follows the token, over datagrams and streams alike: options, which must be in
// order, and payload.
func appendContent(dst []byte, m *message.Message) []byte {
	last := message.OptionID(0)
	for i := range m.Options {
		o := &m.Options[i]
		dst = appendOption(dst, uint(o.ID-last), o.Value)
		last = o.ID
	}
	if len(m.Payload) > 0 {
		dst = append(append(dst, payloadMarker), m.Payload...)
	}
	return dst
}

// contentSize is how much appendContent appends.
func contentSize(m *message.Message) int {
	n, last := 0, message.OptionID(0)
	for i := range m.Options {
		o := &m.Options[i]
		n += 1 + nibbleSize(uint(o.ID-last)) + nibbleSize(uint(len(o.Value))) + len(o.Value)
		last = o.ID
	}
	if len(m.Payload) > 0 {
		n += 1 + len(m.Payload)
	}
	return n
}

// appendOption appends an option whose number is delta above that of the one before (RFC 7252 section 3.1).
func appendOption(dst []byte, delta uint, value []byte) []byte {
	at := len(dst)
	dst = append(dst, 0)
	d, dst := appendNibble(dst, delta)
	l, dst := appendNibble(dst, uint(len(value)))
	dst[at] = d<<4 | l
	return append(dst, value...)
}

// appendNibble appends what of n does not fit in the half of a byte that it returns.
func appendNibble(dst []byte, n uint) (byte, []byte) {
	switch {
	case n >= 13+256:
		return 14, binary.BigEndian.AppendUint16(dst, uint16(n-13-256))
	case n >= 13:
		return 13, append(dst, byte(n-13))
	}
	return byte(n), dst
}

// nibbleSize is how much appendNibble appends.
func nibbleSize(n uint) int {
	switch {
	case n >= 13+256:
		return 2
	case n >= 13:
		return 1
	}
	return 0
}

func (d *Dialer) getPacket() *[]byte {
	if p, ok := d.packets.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, 0, packetSize)
	return &p
}

func (d *Dialer) putPacket(p *[]byte) {
	if p != nil {
		d.packets.Put(p)
	}
}
