package coap

import (
	"bytes"
	"errors"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/myriad-iot/myriad/sim"
)

const (
	maxOptionValue = 255 // Uri-Path and Uri-Query: RFC 7252 section 5.10
	packetSize     = 256 // to begin with; packets grow to what the fleet's reports need
)

var (
	errOptionTooLong = errors.New("coap: a path segment or query parameter is longer than 255 bytes")
	errManyOptions   = errors.New("coap: more than 31 path segments and query parameters")
)

// request encodes m. The packet is the caller's to give back.
func (d *Dialer) request(m *sim.Message, id uint16, tok token) (*[]byte, error) {
	s := d.getScratch()
	defer d.scratch.Put(s)
	var err error
	s.text = append(s.text[:0], m.Topic...)
	if s.m.Options, err = d.options(s.options[:0], s.text, len(m.Payload) > 0); err != nil {
		return nil, err
	}
	tk := append(s.out[:0], tok[:]...) // not tok itself, which would move to the heap
	s.m.Token, s.m.Payload, s.m.MessageID = tk, m.Payload, int32(id)
	s.m.Code, s.m.Type = codes.POST, message.NonConfirmable
	if m.QoS > 0 {
		s.m.Type = message.Confirmable
	}
	packet, err := d.encode(&s.m)
	s.m.Payload = nil // it is valid only during the call
	return packet, err
}

// options appends the options of a report to topic, in the ascending order that the wire needs.
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

func (d *Dialer) encode(m *message.Message) (*[]byte, error) {
	p := d.getPacket()
	n, err := coder.DefaultCoder.Encode(*m, (*p)[:cap(*p)])
	if errors.Is(err, message.ErrTooSmall) {
		*p = make([]byte, n)
		n, err = coder.DefaultCoder.Encode(*m, *p)
	}
	if err != nil {
		d.putPacket(p)
		return nil, err
	}
	*p = (*p)[:n]
	return p, nil
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
