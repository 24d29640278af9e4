package link

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// The opcodes of RFC 6455 section 5.2.
const (
	opContinuation = 0x0
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA

	bitFinal  = 0x80
	bitMasked = 0x80
	maxHead   = 14
	maxBody   = 125 // of a control frame

	noCode      = 1005 // a close frame without a code
	codeNormal  = 1000
	codeBroken  = 1002
	controlTime = time.Second // to write a control frame in
)

// buffers are frames under construction.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return p
	}
	return new([]byte)
}

func (b *buffers) put(p *[]byte) {
	if cap(*p) > 64<<10 {
		return
	}
	*p = (*p)[:0]
	b.pool.Put(p)
}

// websocket is a stream in binary frames: what arrives is the payload of all of them, whatever frames
// it came in (MQTT-6.0.0-2), and each Write is one frame. One goroutine may read while another writes.
type websocket struct {
	net.Conn
	buffers *buffers
	server  bool // the peer is the client: it masks, and we do not

	mu      sync.Mutex // of writes
	writeBy time.Time  // the deadline that the user of the conn has set
	abrupt  bool

	rest  []byte // came with the answer to the upgrade
	err   error  // why there is no more to read
	frame frame
}

// frame is how far the reading has come. It can break off between any two bytes.
type frame struct {
	left    uint64 // bytes of payload to come
	control []byte // payload of a control frame so far
	head    [maxHead]byte
	have    uint8 // bytes of head; 0 after a whole head
	op      byte
	masks   uint8 // bytes of payload that were unmasked, mod 4
	inside  bool  // the payload is being read
	open    bool  // a message of several frames goes on
	mask    [4]byte
}

// Read implements net.Conn. A Read that a deadline ended has lost nothing.
func (w *websocket) Read(p []byte) (int, error) {
	for w.err == nil {
		var n int
		var err error
		if len(w.rest) > 0 {
			if n = copy(p, w.rest); n == len(w.rest) {
				w.rest = nil
			} else {
				w.rest = w.rest[n:]
			}
		} else if n, err = w.Conn.Read(p); n == 0 {
			return 0, err
		}
		if n = w.decode(p[:n]); n > 0 {
			return n, nil // an error that came with it comes again
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, w.err
}

// decode takes the frames of b apart, in place, and returns how much payload b begins with then. An
// error is left in w.err.
func (w *websocket) decode(b []byte) (out int) {
	f := &w.frame
	for i := 0; i < len(b) && w.err == nil; {
		if !f.inside {
			f.head[f.have] = b[i]
			f.have++
			i++
			whole, err := f.start(w.server)
			if err != nil {
				w.fail(err, codeBroken)
			} else if whole && f.left == 0 {
				w.end()
			}
			continue
		}
		n := int(min(f.left, uint64(len(b)-i)))
		part := b[i : i+n]
		if w.server {
			f.unmask(part)
		}
		if f.op >= opClose {
			f.control = append(f.control, part...)
		} else {
			out += copy(b[out:], part)
		}
		i += n
		if f.left -= uint64(n); f.left == 0 {
			w.end()
		}
	}
	return out
}

// start looks at the head so far and reports whether it is whole. It judges each byte when it comes.
func (f *frame) start(server bool) (whole bool, err error) {
	first := f.head[0]
	op, final := first&0x0F, first&bitFinal != 0
	if f.have == 1 {
		legal := first&0x70 == 0 // no extension was agreed on
		switch op {
		case opContinuation:
			legal = legal && f.open
		case opBinary: // MQTT-6.0.0-1: no text
			legal = legal && !f.open
		case opClose, opPing, opPong:
			legal = legal && final
		default:
			legal = false
		}
		if !legal {
			return false, errFrame
		}
		return false, nil
	}
	second := f.head[1]
	length := second &^ bitMasked
	if second&bitMasked != 0 != server || op >= opClose && length > maxBody {
		return false, errFrame
	}
	size := 2
	switch length {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	extended := f.head[2:size]
	if server {
		size += len(f.mask)
	}
	if int(f.have) < size {
		return false, nil
	}
	switch len(extended) {
	case 0:
		f.left = uint64(length)
	case 2:
		f.left = uint64(binary.BigEndian.Uint16(extended))
	default:
		if f.left = binary.BigEndian.Uint64(extended); f.left>>63 != 0 {
			return false, errFrame
		}
	}
	if server {
		copy(f.mask[:], f.head[size-len(f.mask):size])
	}
	f.op, f.have, f.masks, f.inside = op, 0, 0, true
	if op < opClose {
		f.open = !final
	}
	return true, nil
}

func (f *frame) unmask(b []byte) {
	for i := range b {
		b[i] ^= f.mask[(int(f.masks)+i)&3]
	}
	f.masks = byte((int(f.masks) + len(b)) & 3)
}

// end is the end of a frame: control frames are acted upon.
func (w *websocket) end() {
	f := &w.frame
	f.inside = false
	body := f.control
	f.control = nil
	switch f.op {
	case opPing:
		w.control(opPong, body)
	case opClose:
		code := closed(noCode)
		switch {
		case len(body) == 1:
			w.fail(errFrame, codeBroken)
			return
		case len(body) > 1:
			code = closed(binary.BigEndian.Uint16(body))
		}
		w.fail(code, codeNormal)
	}
}

// fail ends the reading for err, and says so to the peer.
func (w *websocket) fail(err error, code uint16) {
	w.err = err
	w.control(opClose, binary.BigEndian.AppendUint16(nil, code))
}

// control writes a control frame. The reader does that, at a time when the user's write deadline may
// long have passed.
func (w *websocket) control(op byte, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.Conn.SetWriteDeadline(time.Now().Add(controlTime))
	_ = w.write(op, body)
	_ = w.Conn.SetWriteDeadline(w.writeBy)
}

// Write implements net.Conn: p is one frame. A Write that failed may have sent a part of it, and
// nothing can be written after it.
func (w *websocket) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.write(opBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *websocket) write(op byte, p []byte) error {
	buffer := w.buffers.get()
	defer w.buffers.put(buffer)
	masked := byte(bitMasked)
	if w.server {
		masked = 0
	}
	b := append(*buffer, bitFinal|op)
	switch n := len(p); {
	case n < 126:
		b = append(b, masked|byte(n))
	case n <= 0xFFFF:
		b = binary.BigEndian.AppendUint16(append(b, masked|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, masked|127), uint64(n))
	}
	if w.server {
		b = append(b, p...)
	} else {
		// Masks guard proxies against pages that choose what a browser sends; ours need to differ only.
		f := frame{}
		binary.BigEndian.PutUint32(f.mask[:], rand.Uint32())
		b = append(b, f.mask[:]...)
		b = append(b, p...)
		f.unmask(b[len(b)-len(p):])
	}
	*buffer = b
	_, err := w.Conn.Write(b)
	return err
}

// SetDeadline implements net.Conn.
func (w *websocket) SetDeadline(t time.Time) error {
	if err := w.Conn.SetReadDeadline(t); err != nil {
		return err
	}
	return w.SetWriteDeadline(t)
}

// SetWriteDeadline implements net.Conn.
func (w *websocket) SetWriteDeadline(t time.Time) error {
	if w.mu.TryLock() { // else a write is on its way, which the deadline may have to end
		w.writeBy = t
		w.mu.Unlock()
	}
	return w.Conn.SetWriteDeadline(t)
}

// SetLinger is the TCP connection's. With 0 the next Close sends no close frame.
func (w *websocket) SetLinger(sec int) error {
	w.abrupt = sec == 0
	return setLinger(w.Conn, sec)
}

// Close implements net.Conn.
func (w *websocket) Close() error {
	if !w.abrupt && w.mu.TryLock() {
		if w.err == nil {
			_ = w.Conn.SetWriteDeadline(time.Now().Add(controlTime))
			_ = w.write(opClose, binary.BigEndian.AppendUint16(nil, codeNormal))
		}
		w.mu.Unlock()
	}
	return w.Conn.Close()
}
