package link

import (
	"encoding/binary"
	"math"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Delays with jitter are spread evenly over their range, in both directions, and datagrams overtake one another.
func TestLaneJitter(t *testing.T) {
	const packets, delay, jitter = 20_000, 100 * ms, 60 * ms
	s := spotUnder(always(sim.Conditions{Delay: sim.Duration(delay), Jitter: sim.Duration(jitter)}))
	for _, salt := range []uint64{sim.SaltUp, sim.SaltDown} {
		l, sum, overtook, last := newLane(salt), time.Duration(0), 0, sim.Instant(0)
		var quarters [4]int
		for n := range packets {
			at := sim.Instant(n) * 10 * ms
			_, arrives, lost := l.datagram(s, at, 100)
			took := arrives - at
			if lost || took < delay-jitter || took >= delay+jitter {
				t.Fatalf("packet %d took %v, lost %v", n, took, lost)
			}
			if sum += took; arrives < last {
				overtook++
			}
			last = arrives
			quarters[int(4*(took-delay+jitter)/(2*jitter))]++
		}
		if mean := sum / packets; math.Abs(float64(mean-delay)) > 0.05*float64(delay) {
			t.Errorf("%v on average", mean)
		}
		for i, n := range quarters {
			if off := math.Abs(float64(n) - packets/4); off > 5*math.Sqrt(packets*0.25*0.75) {
				t.Errorf("%d of %d in quarter %d", n, packets, i)
			}
		}
		// Of two delays in sequence, apart by a twelfth of their range, the second is the smaller by more than that with a
		// probability of (11/12)^2/2.
		if share := float64(overtook) / packets; math.Abs(share-0.42) > 0.02 {
			t.Errorf("%v overtook the packet before", share)
		}
	}
}

// A stream stays in order, whatever the jitter, and takes no longer than the worst of it.
func TestLaneJitterOfStreams(t *testing.T) {
	const delay, jitter = 100 * ms, 100 * ms
	s := spotUnder(always(sim.Conditions{Delay: sim.Duration(delay), Jitter: sim.Duration(jitter)}))
	for name, put := range map[string]func(l *lane, at sim.Instant, size int) sim.Instant{
		"segment": func(l *lane, at sim.Instant, size int) sim.Instant {
			_, arrives := l.segment(s, at, size, timeoutLeast)
			return arrives
		},
		"join": func(l *lane, at sim.Instant, size int) sim.Instant {
			_, arrives := l.join(s, at, size)
			return arrives
		},
	} {
		l, last, held := newLane(sim.SaltUp), sim.Instant(0), 0
		for n := range 5000 {
			at := sim.Instant(n) * ms
			arrives := put(&l, at, 700)
			if arrives < last || arrives < at || arrives >= at+delay+jitter {
				t.Fatalf("%s: bytes of %v arrive at %v, those before at %v", name, at, arrives, last)
			}
			if arrives == last {
				held++
			}
			last = arrives
		}
		if held == 0 {
			t.Errorf("%s: no bytes waited for those before", name)
		}
	}
}

// A retransmission waits for four times the deviation of the round trips, which a jitter widens.
func TestLaneJitterAndTimeouts(t *testing.T) {
	for _, tt := range []struct {
		jitter sim.Duration
		wants  sim.Instant
	}{{0, 1200 * ms}, {sim.Duration(30 * ms), 1200 * ms}, {sim.Duration(300 * ms), 1800 * ms}} {
		lost := true
		s := spotUnder(sky(func(sim.Instant) sim.Conditions {
			c := sim.Conditions{Delay: sim.Duration(500 * ms), Jitter: tt.jitter}
			if lost {
				c.Loss, lost = 1, false
			}
			return c
		}))
		l := newLane(sim.SaltUp)
		if leaves, _ := l.segment(s, 0, 100, timeoutLeast); leaves != tt.wants {
			t.Errorf("with a jitter of %v it is repeated after %v, want %v", tt.jitter.D(), leaves, tt.wants)
		}
	}
}

// What else a link meets, and when, changes neither which packets a loss takes nor by how much a jitter holds them up.
func TestLaneDrawsAreApart(t *testing.T) {
	type fate struct {
		took time.Duration
		lost bool
	}
	const from, to, packets = 500, 1000, 1500 // the weather that is compared lasts from one packet to another
	fates := func(others func(n int) sim.Conditions) []fate {
		l, list := newLane(sim.SaltUp), make([]fate, 0, packets)
		for n := range packets {
			c := others(n)
			if n >= from && n < to {
				c.Add(&sim.Conditions{Delay: sim.Duration(100 * ms), Jitter: sim.Duration(100 * ms), Loss: 0.2}, never)
			}
			if c.Clear() {
				l.skip(0)
				list = append(list, fate{})
				continue
			}
			_, arrives, lost := l.datagram(spotUnder(always(c)), 0, 100)
			list = append(list, fate{arrives, lost})
		}
		return list[from:to]
	}
	alone := fates(func(int) sim.Conditions { return sim.Conditions{} })
	early := fates(func(n int) sim.Conditions {
		if n < from {
			return sim.Conditions{Loss: 0.5, Delay: sim.Duration(ms), Jitter: sim.Duration(ms)}
		}
		return sim.Conditions{}
	})
	if !slices.Equal(alone, early) {
		t.Error("weather before changes what happens to later packets")
	}
	lossy := fates(func(int) sim.Conditions { return sim.Conditions{Loss: 0.3} })
	for i := range alone {
		if alone[i].lost && !lossy[i].lost || alone[i].took != lossy[i].took {
			t.Fatalf("packet %d: %+v alone, %+v with another loss", i, alone[i], lossy[i])
		}
	}
}

// A reader gets datagrams in the order in which they come, and a stream as it was written, in both directions.
func TestWeatherJitters(t *testing.T) {
	w := always(sim.Conditions{Delay: sim.Duration(100 * ms), Jitter: sim.Duration(90 * ms)})
	for _, stream := range []bool{true, false} {
		inWeather(t, w, stream, func(t *testing.T, near *weathered, far net.Conn) {
			for name, text := range lettersBothWays(t, near, far, 10*ms) {
				sorted := []byte(text)
				slices.Sort(sorted)
				if string(sorted) != letters || (text == letters) != stream {
					t.Errorf("%s, stream %v: %q", name, stream, text)
				}
			}
		})
	}
}

// A peer that looks at its own clock sees each datagram of a real socket when its draw says, never before, and the
// spread that was asked for.
func TestWeatherJittersOfSockets(t *testing.T) {
	const packets, delay, jitter = 100, 200 * ms, 150 * ms
	peer, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = peer.Close() }()
	d := dialerOf(t, always(sim.Conditions{Delay: sim.Duration(delay), Jitter: sim.Duration(jitter)}))
	conn, err := d.DialUDP(t.Context(), &sim.Caller{Endpoint: peer.LocalAddr().String(), Key: 7, T0: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	sent := make([]time.Time, packets)
	for n := range sent {
		sent[n] = time.Now()
		_, _ = conn.Write(binary.BigEndian.AppendUint32(nil, uint32(n)))
		time.Sleep(ms)
	}
	c := conn.(*weathered)
	var late []time.Duration
	order, b := []uint32(nil), make([]byte, 8)
	for range packets {
		_ = peer.SetReadDeadline(time.Now().Add(time.Minute))
		if _, _, err := peer.ReadFrom(b); err != nil {
			t.Fatal(err)
		}
		n := binary.BigEndian.Uint32(b)
		took := time.Since(sent[n])
		order = append(order, n)
		draw := sim.Draw(c.key, sim.SaltUp^sim.SaltLate, c.first+uint64(n)<<repeatBits)
		planned := delay + time.Duration((2*draw-1)*float64(jitter))
		if late = append(late, took-planned); took < planned {
			t.Errorf("datagram %d took %v, and should take %v", n, took, planned)
		}
	}
	slices.Sort(late)
	t.Logf("late by %v, %v, %v", late[0], late[packets/2], late[packets-1])
	if late[packets/4] > delay/20 { // the machine is shared
		t.Errorf("a quarter of the datagrams were late by up to %v", late[packets/4])
	}
	if slices.IsSorted(order) {
		t.Error("none overtook another")
	}
}

// dialerOf is a dialer of plain connections under weather, for any system.
func dialerOf(t testing.TB, w sim.Weather) *Dialer {
	t.Helper()
	d, err := New(&sim.Binding{}, nil)
	if err == nil {
		err = d.SetWeather(w)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}
