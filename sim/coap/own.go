package coap

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

// own is what all requests of an errand have in common.
type own struct {
	q      *sim.Request
	etag   etag      // of q
	format MediaType // of its body, if typed
	accept MediaType // if picky
	typed  bool
	picky  bool
	wish   bool // the binding or the offset asks for a size of blocks: the first request does too
	first  bool // there was no answer yet
}

// read makes f the errand of a request. An error is our caller's mistake.
func (f *errand) read(q *sim.Request) (err error) {
	f.q = q
	if f.code, err = requestCode(q.Method); err != nil {
		return err
	}
	switch {
	case len(q.Header) > 0:
		return errors.New("coap: there are no header fields")
	case q.Offset < 0, q.Offset > 0 && f.code != codes.GET && f.code != codeFETCH:
		return errors.New("coap: an offset is above 0, and of a GET or FETCH")
	}
	tag, err := hex.DecodeString(q.ETag)
	if err != nil || len(tag) > len(f.etag.bytes) {
		return fmt.Errorf("coap: %q is no entity tag", q.ETag)
	}
	f.etag = newETag(tag)
	if f.typed = q.ContentType != "" && len(q.Body) > 0; f.typed {
		if f.format, err = formatOf(q.ContentType); err != nil {
			return err
		}
	}
	if f.picky = q.Accept != ""; f.picky {
		f.accept, err = formatOf(q.Accept)
	}
	return err
}

// requestCode is the code of a request's method.
func requestCode(method string) (codes.Code, error) {
	switch strings.ToUpper(method) {
	case "", "GET":
		return codes.GET, nil
	case "DELETE":
		return codes.DELETE, nil
	}
	return methodOf(method)
}

// fetching is compose for a device's own request.
func (s *scratch) fetching() error {
	a, o := &s.ask, s.ask.own
	from := len(s.text)
	s.text = append(s.text, cmp.Or(o.q.Path, "/")...)
	path, query, _ := bytes.Cut(bytes.TrimPrefix(s.text[from:], []byte("/")), []byte("?"))
	if o.first && o.q.Offset == 0 && o.etag.size > 0 {
		s.opaque(message.ETag, o.etag.bytes[:o.etag.size])
	}
	if err := s.segments(message.URIPath, path, '/'); err != nil {
		return err
	}
	if o.typed && len(a.payload) > 0 {
		s.number(message.ContentFormat, uint32(o.format))
	}
	if err := s.segments(message.URIQuery, query, '&'); err != nil {
		return err
	}
	if o.picky {
		s.number(message.Accept, uint32(o.accept))
	}
	s.blocks()
	s.m.Code, s.m.Payload = a.code, a.payload
	return nil
}

// segments appends the options that a part of a URI becomes (RFC 7252 section 6.4).
func (s *scratch) segments(id message.OptionID, text []byte, sep byte) (err error) {
	for more := len(text) > 0; more; {
		value := text
		i := bytes.IndexByte(text, sep)
		if more = i >= 0; more {
			value, text = text[:i], text[i+1:]
		}
		if value, err = unescaped(value); err != nil {
			return err
		}
		if len(value) > maxOptionValue {
			return errOptionTooLong
		}
		if len(s.m.Options) >= maxOptions-8 { // the others
			return errManyOptions
		}
		s.m.Options = append(s.m.Options, message.Option{ID: id, Value: value})
	}
	return nil
}

// unescaped undoes percent-encoding, in place.
func unescaped(b []byte) ([]byte, error) {
	if bytes.IndexByte(b, '%') < 0 {
		return b, nil
	}
	out := b[:0]
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '%' {
			if i+2 >= len(b) {
				return nil, errEscape
			}
			n, err := strconv.ParseUint(string(b[i+1:i+3]), 16, 8)
			if err != nil {
				return nil, errEscape
			}
			c, i = byte(n), i+2
		}
		out = append(out, c)
	}
	return out, nil
}

var errEscape = errors.New("coap: a path is not percent-encoded as it should be")

// location is what the response in s says about a place (RFC 7252 section 5.10.7), as a path and a query.
func (s *scratch) location() string {
	var b strings.Builder
	mark := byte('?')
	for i := range s.m.Options {
		switch o := &s.m.Options[i]; o.ID {
		case message.LocationPath:
			b.WriteByte('/')
			b.WriteString(url.PathEscape(string(o.Value)))
		case message.LocationQuery:
			b.WriteByte(mark)
			b.WriteString(url.PathEscape(string(o.Value)))
			mark = '&'
		}
	}
	return b.String()
}

type contentFormat struct {
	number MediaType
	name   string
}

// registered are Content-Formats that the codec does not name, or not without a parameter: those of RFC 7252,
// RFC 8710 and EST over CoAP (RFC 9148 section 9.1).
func registered() [8]contentFormat {
	return [...]contentFormat{
		{0, "text/plain"},
		{62, "application/multipart-core"},
		{280, "application/pkcs7-mime; smime-type=server-generated-key"},
		{281, "application/pkcs7-mime; smime-type=certs-only"},
		{284, "application/pkcs8"},
		{285, "application/csrattrs"},
		{286, "application/pkcs10"},
		{287, "application/pkix-cert"},
	}
}

// formatOf is the Content-Format of a media type, or the number that the text is.
func formatOf(text string) (MediaType, error) {
	if n, err := strconv.ParseUint(text, 10, 16); err == nil {
		return MediaType(n), nil
	}
	for _, f := range registered() {
		if strings.EqualFold(f.name, text) {
			return f.number, nil
		}
	}
	f, err := message.ToMediaType(text)
	if err != nil {
		return 0, fmt.Errorf("coap: no Content-Format is known for %q: write its number", text)
	}
	return f, nil
}

// formatName is the media type of a Content-Format, or the number in decimal.
func formatName(n uint32) string {
	for _, f := range registered() {
		if uint32(f.number) == n {
			return f.name
		}
	}
	if _, err := message.MediaTypeFromNumber(n); err == nil {
		return MediaType(n).String()
	}
	return strconv.FormatUint(uint64(n), 10)
}
