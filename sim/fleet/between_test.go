package fleet_test

import (
	"bufio"
	"net"
	"sync"
	"testing"
)

// between stands between devices and a broker, for a test that changes what they say to each other.
type between struct {
	broker string

	gate  sync.Mutex
	cut   bool // the devices' connections were closed
	calls []net.Conn
}

// listen returns the address for the devices. Until the test ends it calls serve, on a goroutine of its own, for each
// of their connections, with one to the broker; both are closed when serve returns.
func (b *between) listen(t *testing.T, serve func(device, broker net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			device, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer device.Close()
				broker, err := net.Dial("tcp", b.broker)
				if err != nil {
					return
				}
				defer broker.Close()
				b.gate.Lock()
				b.calls = append(b.calls, device)
				b.gate.Unlock()
				serve(device, broker)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		b.hangUp()
		all.Wait()
	})
	return ln.Addr().String()
}

// hangUp closes the connections of the devices that there are.
func (b *between) hangUp() {
	b.gate.Lock()
	defer b.gate.Unlock()
	b.cut = true
	for _, c := range b.calls {
		c.Close()
	}
}

// whole reports whether nothing was cut so far.
func (b *between) whole() bool {
	b.gate.Lock()
	defer b.gate.Unlock()
	return !b.cut
}

// back passes on the packets of a broker, as pass wants them, until one of the two has gone.
func back(device, broker net.Conn, pass func(p []byte) []byte) {
	defer device.Close()
	for r := bufio.NewReader(broker); ; {
		p, err := packet(r)
		if err != nil {
			return
		}
		if p = pass(p); p == nil {
			continue
		}
		if _, err := device.Write(p); err != nil {
			return
		}
	}
}
