package peers

import (
	"bytes"
	"net"
	"testing"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"
)

// File is a representation that a CoAP server gives in blocks (RFC 7959) to whoever asks, without remembering
// whom it gave what. It must not be changed while it is served.
type File struct {
	Body []byte
	ETag []byte
	SZX  uint8 // of the largest blocks: 16<<SZX bytes, up to 6
}

// Serve gives the file out over UDP and returns the address.
func (f *File) Serve(t testing.TB) string {
	t.Helper()
	l, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, func() error {
		in := make([]byte, 2048)
		for {
			n, from, err := l.ReadFromUDPAddrPort(in)
			if err != nil {
				return err
			}
			if out := f.Answer(in[:n]); out != nil {
				_, _ = l.WriteToUDPAddrPort(out, from)
			}
		}
	}, func() { _ = l.Close() })
	return l.LocalAddr().String()
}

// Answer is what follows from a datagram: a piggybacked response, the pong to a ping, or nothing.
func (f *File) Answer(datagram []byte) []byte {
	q := message.Message{Options: make(message.Options, 0, 32)}
	if _, err := coder.DefaultCoder.Decode(datagram, &q); err != nil || q.Type == message.Acknowledgement || q.Type == message.Reset {
		return nil
	}
	if q.Code == codes.Empty {
		return Encode(message.Message{Type: message.Reset, MessageID: q.MessageID})
	}
	if q.Code > 31 {
		return nil
	}
	a := f.Respond(&q)
	a.Type, a.MessageID, a.Token = message.Acknowledgement, q.MessageID, q.Token
	return Encode(a)
}

// Encode is the datagram of a message.
func Encode(m message.Message) []byte {
	n, err := coder.DefaultCoder.Size(m)
	if err != nil {
		panic(err)
	}
	out := make([]byte, n)
	if _, err := coder.DefaultCoder.Encode(m, out); err != nil {
		panic(err)
	}
	return out
}

// Respond answers a request, but for what ties the two messages together. What is uploaded in blocks is taken
// and thrown away.
func (f *File) Respond(q *message.Message) message.Message {
	if v, err := q.Options.GetUint32(message.Block1); err == nil && v&8 != 0 {
		return message.Message{Code: codes.Continue, Options: message.Options{{ID: message.Block1, Value: number(v)}}}
	}
	if tag, err := q.Options.GetBytes(message.ETag); err == nil && bytes.Equal(tag, f.ETag) {
		return message.Message{Code: codes.Valid, Options: message.Options{{ID: message.ETag, Value: f.ETag}}}
	}
	szx, offset := min(f.SZX, 6), 0
	asked, err := q.Options.GetUint32(message.Block2)
	if err == nil {
		szx = min(szx, uint8(asked&7), 6)
		offset = int(asked>>4) << (min(asked&7, 6) + 4)
	}
	if offset > len(f.Body) {
		return message.Message{Code: codes.BadOption}
	}
	part := f.Body[offset:min(offset+16<<szx, len(f.Body))]
	var list message.Options
	if len(f.ETag) > 0 {
		list = append(list, message.Option{ID: message.ETag, Value: f.ETag})
	}
	list = append(list, message.Option{ID: message.ContentFormat, Value: []byte{byte(message.AppOctets)}})
	if err == nil || len(part) < len(f.Body) {
		v := uint32(offset>>(szx+4))<<4 | uint32(szx)
		if offset+len(part) < len(f.Body) {
			v |= 8
		}
		list = append(list, message.Option{ID: message.Block2, Value: number(v)})
	}
	if q.Options.HasOption(message.Size2) {
		list = append(list, message.Option{ID: message.Size2, Value: number(uint32(len(f.Body)))})
	}
	code := codes.Content
	if q.Code == codes.POST || q.Code == codes.PUT {
		code = codes.Changed
	}
	return message.Message{Code: code, Options: list, Payload: part}
}

// number is the shortest form of an option's number.
func number(n uint32) []byte {
	return bytes.TrimLeft([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, "\x00")
}
