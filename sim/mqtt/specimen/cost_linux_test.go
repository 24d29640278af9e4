package specimen_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

func cost() *peers.Cost {
	c := &peers.Cost{Devices: 4000, Rounds: 10, AtOnce: 50, Serve: acknowledger}
	for _, of := range clients() {
		c.Clients = append(c.Clients, peers.Client{Name: of.name, Dialer: func() sim.Dialer {
			return of.dialer(sim.Binding{Version: of.version, KeepAlive: sim.Duration(time.Hour)}, nil)
		}})
	}
	return c
}

func TestMain(m *testing.M) { cost().Main(m) }

func BenchmarkCost(b *testing.B) { cost().Benchmark(b) }

// acknowledger is the least that a client takes for a broker: it does nothing but acknowledge.
func acknowledger(ready func(string), stop io.Reader) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ready(l.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, stop)
		l.Close()
	}()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			return nil
		}
		wg.Go(func() { acknowledge(conn) })
	}
}

func acknowledge(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 1024)
	for {
		first, err := in.ReadByte()
		if err != nil {
			return
		}
		n, err := binary.ReadUvarint(in)
		if err != nil {
			return
		}
		p := packet{first: first, body: make([]byte, n)}
		if _, err := io.ReadFull(in, p.body); err != nil {
			return
		}
		var answer []byte
		switch p.kind() {
		case 1:
			answer = []byte{0x20, 2, 0, 0}
			if p.body[6] == 5 {
				answer = []byte{0x20, 3, 0, 0, 0}
			}
		case typePublish:
			answer = []byte{0x40, 2, byte(p.id() >> 8), byte(p.id())}
		case typePingreq:
			answer = []byte{0xD0, 0}
		case typeDisconnect:
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}
