package coap

import (
	"net"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"

	"github.com/myriad-iot/myriad/sim/link"
)

const (
	// maxDatagram is more than RFC 7252 section 4.6 lets a peer send without being asked for more (1,152 bytes). The
	// kernel cuts what is longer; only the header and the options of an answer are used.
	maxDatagram = 2048

	// maxOptions is the number of options that a message may have. An inbound one with more is
	// refused like a malformed one.
	maxOptions = 32
)

// scratch is what reading or writing one message needs, for as long as that takes.
type scratch struct {
	in      [maxDatagram + 1]byte // one more, for decode
	out     [16]byte              // the longest reply: header and token
	long    bool                  // tokens above 8 bytes are known
	text    []byte                // values of options
	token   []byte
	options [maxOptions + 1]message.Option // one more, for decode
	m       message.Message
	ask     ask       // what m is made of
	host    string    // and the Uri-Host of it, if that is not an address
	at      time.Time // when it is sent
	cryptic
}

func (d *Dialer) getScratch() *scratch {
	if s, ok := d.scratch.Get().(*scratch); ok {
		return s
	}
	return &scratch{long: d.tokenSize > tokenSize}
}

// putScratch takes a scratch that a request was made in: what it says is valid only during the call.
func (d *Dialer) putScratch(s *scratch) {
	s.ask, s.m.Payload = ask{}, nil
	d.scratch.Put(s)
}

// receiver reads datagrams. A device that waits should not own a buffer, so on a plain UDP socket
// a buffer is borrowed only once there is something to read. Other connections have no such
// moment: there, a scratch of 3 KB is held while waiting.
type receiver struct {
	d    *Dialer
	conn net.Conn

	secured *secured // nil without DTLS

	raw   link.Raw // for other connections without a RawConn
	ready func(fd uintptr) bool
	peek  func(fd uintptr)

	// What ready or peek read.
	s   *scratch
	n   int
	err error
}

func (r *receiver) canPoll() bool { return r.raw.RawConn != nil }

// next blocks until a datagram, an error or the read deadline. The caller gives the scratch back.
func (r *receiver) next() (*scratch, int, error) {
	if s, n, err := r.left(); s != nil {
		return s, n, err
	}
	if r.canPoll() {
		return r.result(r.raw.Read(r.ready))
	}
	s := r.d.getScratch()
	n, err := r.conn.Read(s.in[:maxDatagram])
	if err != nil {
		r.d.scratch.Put(s)
		return nil, 0, err
	}
	return s, n, nil
}

// poll is next without blocking, whatever the read deadline.
func (r *receiver) poll() (*scratch, int, error) {
	if s, n, err := r.left(); s != nil {
		return s, n, err
	}
	return r.result(r.raw.Control(r.peek))
}

// left returns the next record of the last datagram, if DTLS has one; else no scratch.
func (r *receiver) left() (*scratch, int, error) {
	if r.secured == nil || r.secured.rest == nil {
		return nil, 0, nil
	}
	s := r.d.getScratch()
	n, err := r.secured.unwrap(s.in[:maxDatagram], r.secured.more(s.in[:maxDatagram]))
	return s, n, err
}

func (r *receiver) result(err error) (*scratch, int, error) {
	s, n := r.s, r.n
	if err == nil {
		err = r.err
	}
	r.s, r.n, r.err = nil, 0, nil
	return s, n, err
}
