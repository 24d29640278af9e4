package fleet_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// liar stands between devices and a broker and does to their PUBLISH packets what a broken network
// element would: every lose-th is acknowledged to the device and thrown away, every double-th is
// passed on twice, every swap-th is held back and passed on after the next one of its device. It
// counts what it did. Clients that are not devices pass untouched.
type liar struct {
	between
	lose, double, swap     int
	mu                     sync.Mutex
	seen                   int
	lost, doubled, swapped int
}

func (l *liar) serve(device, broker net.Conn) {
	v := &victim{device: device, broker: broker, swallow: make(map[uint16]int)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer device.Close()
		r := bufio.NewReader(broker)
		for {
			p, err := packet(r)
			if err != nil || v.answer(p) != nil {
				return
			}
		}
	}()
	l.forward(v)
	broker.Close()
	<-done
}

// victim is one connection of a device.
type victim struct {
	device, broker net.Conn
	held           []byte // a PUBLISH that waits for the next one

	mu      sync.Mutex // both the broker's answers and the liar's own go to the device
	swallow map[uint16]int
}

// answer passes on what the broker says, but for the PUBACKs that the liar has given already.
func (v *victim) answer(p []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if p[0]>>4 == 4 {
		if id := binary.BigEndian.Uint16(p[2:]); v.swallow[id] > 0 {
			v.swallow[id]--
			return nil
		}
	}
	_, err := v.device.Write(p)
	return err
}

// acknowledge answers for the broker; more is how many PUBACKs of the broker are still to come.
func (v *victim) acknowledge(p []byte, more int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	ack := puback(p)
	v.swallow[binary.BigEndian.Uint16(ack[2:])] += more
	v.device.Write(ack)
}

func (l *liar) forward(v *victim) {
	r := bufio.NewReader(v.device)
	lies := false
	for {
		if v.held != nil { // not for ever: at the end no next one comes
			v.device.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			_, err := r.Peek(1)
			v.device.SetReadDeadline(time.Time{})
			if errors.Is(err, os.ErrDeadlineExceeded) {
				v.broker.Write(v.held)
				v.held = nil
			}
		}
		p, err := packet(r)
		if err != nil || p[0]>>4 == 14 { // a held one must not be swallowed by a goodbye
			v.broker.Write(append(v.held, p...))
			return
		}
		if p[0]>>4 == 1 {
			lies = !strings.Contains(string(p), "myriad-probe")
		}
		if p[0]>>4 == 3 && lies {
			p = l.treat(v, p)
		}
		if _, err := v.broker.Write(p); err != nil {
			return
		}
	}
}

// treat decides what the broker gets instead of the PUBLISH p.
func (l *liar) treat(v *victim, p []byte) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen++
	if v.held != nil {
		l.swapped++
		p, v.held = append(p, v.held...), nil
		return p
	}
	switch {
	case l.lose > 0 && l.seen%l.lose == 0:
		l.lost++
		v.acknowledge(p, 0)
		return nil
	case l.double > 0 && l.seen%l.double == 1:
		l.doubled++
		v.acknowledge(p, 2)
		return append(p, p...)
	case l.swap > 0 && l.seen%l.swap == 2:
		v.held = p
		v.acknowledge(p, 1) // or the device might wait for it before its next one
		return nil
	}
	return p
}

// puback acknowledges the QoS 1 PUBLISH p.
func puback(p []byte) []byte {
	i := 1
	for p[i]&0x80 != 0 {
		i++
	}
	i++
	topic := int(binary.BigEndian.Uint16(p[i:]))
	id := p[i+2+topic : i+4+topic]
	return []byte{0x40, 2, id[0], id[1]}
}

// packet reads one whole control packet.
func packet(r *bufio.Reader) ([]byte, error) {
	first, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	p := []byte{first}
	length, shift := 0, 0
	for {
		b, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		p = append(p, b)
		length |= int(b&0x7f) << shift
		shift += 7
		if b&0x80 == 0 {
			break
		}
	}
	head := len(p)
	p = append(p, make([]byte, length)...)
	_, err = io.ReadFull(r, p[head:])
	return p, err
}
