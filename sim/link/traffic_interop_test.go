package link_test

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/wiretap"
)

// What a device is said to have sent and received is what tshark finds on the wire, for every transport, with weather
// and without.
func TestTraffic(t *testing.T) {
	at := servers(t)
	for scheme, channel := range schemes() {
		for name, w := range map[string]sim.Weather{"clear": nil, "slow": always(sim.Conditions{Delay: sim.Duration(20 * time.Millisecond)})} {
			t.Run(string(scheme)+"/"+name, func(t *testing.T) {
				t.Parallel()
				datagrams := scheme == sim.SchemeCoAP || scheme == sim.SchemeCoAPS
				record := wiretap.TCP
				if datagrams {
					record = wiretap.UDP
				}
				tap, addr := record(t, at.Of(scheme, 0), 9)
				var traffic sim.Traffic
				c, _, o := under(t, scheme, channel, w).Dial(t.Context(), &sim.Caller{ID: string(scheme) + "-" + name, Endpoint: addr, Key: 7, T0: time.Now(), Traffic: &traffic})
				if o != sim.OK {
					t.Fatal(o.Class())
				}
				defer c.Close(false)
				for seq := range uint32(5) {
					if r, ok := c.(sim.Rebinder); ok && seq == 3 { // from another socket
						r.Rebind(netip.AddrPort{})
					}
					settle(t, c, seq)
				}
				sent, received := traffic.Bytes()
				end := float64(time.Now().UnixMicro()) / 1e6
				var up, down int64
				for _, line := range tap.Dissect("tcp.len > 0 || udp", []string{"ip.dst", "tcp.len", "udp.length", "frame.time_epoch"}) {
					cells := strings.Split(line, "\t")
					if when, _ := strconv.ParseFloat(cells[3], 64); when > end {
						continue // a server's goodbye, when the recording is ended
					}
					n, _ := strconv.ParseInt(strings.TrimSpace(cells[1]), 10, 64)
					if datagrams {
						n, _ = strconv.ParseInt(cells[2], 10, 64)
						n -= 8 // UDP's header
					}
					if cells[0] == "127.0.0.2" {
						up += n
					} else {
						down += n
					}
				}
				if up == 0 || down == 0 || sent != up || received != down {
					t.Errorf("sent %d, received %d; tshark has %d and %d", sent, received, up, down)
				}
			})
		}
	}
}
