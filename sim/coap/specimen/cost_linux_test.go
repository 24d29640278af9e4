package specimen_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/plgd-dev/go-coap/v3/message"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/coap/specimen"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// cost compares Myriad's own client and the library. More exchanges at once would overflow the peer's
// socket buffer, and measure the repetitions.
func cost() *peers.Cost {
	return &peers.Cost{Devices: 2000, Rounds: 30, AtOnce: 64, Bounded: true, Serve: acknowledge, Clients: []peers.Client{
		{Name: "own", Dialer: func() sim.Dialer { return &coap.Dialer{ContentFormat: message.AppCBOR} }},
		{Name: "go-coap", Dialer: func() sim.Dialer { return &specimen.GoCoAP{ContentFormat: message.AppCBOR} }},
	}}
}

func TestMain(m *testing.M) { cost().Main(m) }

func BenchmarkCost(b *testing.B) { cost().Benchmark(b) }

// acknowledge is the least that a client takes for a CoAP server: it resets pings and acknowledges
// everything else with 2.04.
func acknowledge(ready func(string), stop io.Reader) error {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	ready(conn.LocalAddr().String())
	go func() {
		_, _ = io.Copy(io.Discard, stop)
		conn.Close()
	}()
	b := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil || n < 4 {
			continue
		}
		if n = 4 + int(b[0]&15); b[1] == 0 {
			b[0] = 1<<6 | byte(message.Reset)<<4
		} else {
			b[0], b[1] = 1<<6|byte(message.Acknowledgement)<<4|b[0]&15, 2<<5|4
		}
		if _, err := conn.WriteToUDPAddrPort(b[:n], from); err != nil {
			return err
		}
	}
}
