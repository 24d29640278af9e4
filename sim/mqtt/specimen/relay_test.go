package specimen_test

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"
)

// relay stands between a device and a broker, and tells what is over for both: the broker has closed the
// connection, and the device has ended an exchange of QoS 2. Libraries and brokers tell neither.
type relay struct {
	endpoint string
	left     chan struct{} // the broker has closed a connection
	ended    chan struct{} // a PUBCOMP went to the broker
}

func startRelay(t *testing.T, broker string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	r := &relay{endpoint: l.Addr().String(), left: make(chan struct{}, 100), ended: make(chan struct{}, 100)}
	go func() {
		for {
			device, err := l.Accept()
			if err != nil {
				return
			}
			go r.carry(device, broker)
		}
	}()
	return r
}

func (r *relay) carry(device net.Conn, broker string) {
	far, err := net.Dial("tcp", broker)
	if err != nil {
		_ = device.Close()
		return
	}
	go func() {
		r.packets(far, bufio.NewReader(device))
		_ = far.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(device, far)
	_, _ = io.Copy(io.Discard, far) // the device may have closed first
	_ = far.Close()
	_ = device.Close()
	r.left <- struct{}{}
}

// packets passes on MQTT packets one by one, until the device closes.
func (r *relay) packets(to io.Writer, from *bufio.Reader) {
	const pubcomp = 7
	for {
		head := make([]byte, 1, 5)
		if _, err := io.ReadFull(from, head); err != nil {
			return
		}
		length := 0
		for shift := 0; shift < 28; shift += 7 {
			b, err := from.ReadByte()
			if err != nil {
				return
			}
			head = append(head, b)
			length |= int(b&0x7f) << shift
			if b < 0x80 {
				break
			}
		}
		packet := make([]byte, len(head)+length)
		copy(packet, head)
		if _, err := io.ReadFull(from, packet[len(head):]); err != nil {
			return
		}
		if _, err := to.Write(packet); err != nil {
			return
		}
		if packet[0]>>4 == pubcomp {
			r.ended <- struct{}{}
		}
	}
}

// await waits for what a relay tells. meanwhile is called until then: our own devices read and answer only while
// somebody waits for an event.
func await(t *testing.T, what string, told <-chan struct{}, meanwhile func()) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; meanwhile() {
		select {
		case <-told:
			return
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
