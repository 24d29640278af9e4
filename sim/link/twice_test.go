package link

import (
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// The share of datagrams that come twice is the one that was asked for, of those that come; the second of two comes at
// the same instant or, with jitter, apart from it.
func TestLaneTwice(t *testing.T) {
	const packets, share = 20_000, 0.2
	for _, jitter := range []sim.Duration{0, sim.Duration(50 * ms)} {
		s := spotUnder(always(sim.Conditions{Delay: sim.Duration(100 * ms), Jitter: jitter, Twice: share, Loss: 0.5}))
		l, came, twice, apart := newLane(sim.SaltDown), 0, 0, 0
		for n := range packets {
			at := sim.Instant(n) * ms
			leaves, arrives, lost := l.datagram(s, at, 100)
			if lost {
				continue
			}
			came++
			again, copied := l.copied(s, at, leaves)
			if !copied {
				continue
			}
			if twice++; again < leaves+100*ms-jitter.D() || again > leaves+100*ms+jitter.D() {
				t.Fatalf("packet %d leaves at %v and comes again at %v", n, leaves, again)
			}
			if again != arrives {
				apart++
			}
		}
		if off := math.Abs(float64(twice) - share*float64(came)); off > 5*math.Sqrt(float64(came)*share*(1-share)) {
			t.Errorf("%d of %d came twice", twice, came)
		}
		if jitter == 0 && apart > 0 || jitter > 0 && apart < twice*9/10 {
			t.Errorf("with a jitter of %v %d of %d came apart", jitter, apart, twice)
		}
	}
}

// Both directions have their copies, whether there is a delay or not, and a stream has none.
func TestWeatherTwice(t *testing.T) {
	for _, c := range []sim.Conditions{{Twice: 1}, {Twice: 1, Delay: sim.Duration(50 * ms)}, {Twice: 0.5, Delay: sim.Duration(50 * ms), Jitter: sim.Duration(50 * ms)}} {
		for _, stream := range []bool{false, true} {
			inWeather(t, always(c), stream, func(t *testing.T, near *weathered, far net.Conn) {
				for name, text := range lettersBothWays(t, near, far, 100*ms) {
					twice := 0
					for _, l := range letters {
						switch strings.Count(text, string(l)) {
						case 1:
						case 2:
							twice++
						default:
							t.Errorf("%s: %q", name, text)
						}
					}
					if stream && twice > 0 || !stream && c.Twice == 1 && twice != len(letters) || !stream && c.Twice < 1 && (twice < 3 || twice > 23) {
						t.Errorf("%s, %+v, stream %v: %d came twice", name, c, stream, twice)
					}
				}
			})
		}
	}
}

// A peer with a socket of its own gets the share twice that was asked for, and no other.
func TestWeatherTwiceOfSockets(t *testing.T) {
	const packets, share = 2000, 0.25
	peer, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = peer.Close() }()
	conn, err := dialerOf(t, always(sim.Conditions{Twice: share})).DialUDP(t.Context(), &sim.Caller{Endpoint: peer.LocalAddr().String(), Key: 7, T0: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	c := conn.(*weathered)
	b, twice := make([]byte, 8), 0
	for n := range packets {
		want := 1
		if sim.Draw(c.key, sim.SaltUp^sim.SaltTwice, c.first+uint64(n)<<repeatBits) < share {
			want = 2
		}
		twice += want - 1
		_, _ = conn.Write([]byte{byte(n), byte(n >> 8)})
		for range want {
			_ = peer.SetReadDeadline(time.Now().Add(time.Minute))
			if size, _, err := peer.ReadFrom(b); err != nil || size != 2 || b[0] != byte(n) || b[1] != byte(n>>8) {
				t.Fatalf("datagram %d: %v, %v", n, b[:size], err)
			}
		}
	}
	if off := math.Abs(float64(twice) - share*packets); off > 0.05*packets {
		t.Errorf("%d of %d came twice", twice, packets)
	}
}
