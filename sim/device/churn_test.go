package device

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// backoff is a policy without jitter, as a story that does not name a stable time declares it.
func backoff(from, to time.Duration) sim.Retry {
	return sim.Retry{Name: "backoff", Base: sim.Duration(from), Max: sim.Duration(to), Factor: 2, Stable: sim.StableAfter(sim.Duration(to))}
}

// A server that accepts each connection and closes it after 50 ms is called as often as one that refuses:
// the waits are 0.5, 1, 2, 4, 8 and 16 s, so there are six calls in 20 s.
func TestD2_3_AServerThatAcceptsAndClosesIsNotCalledMoreOftenThanTheBackoffAllows(t *testing.T) {
	for _, test := range []struct {
		name  string
		retry sim.Retry
		want  int
	}{
		{"backoff", backoff(500*time.Millisecond, 30*time.Second), 6},
		{"without a stable time", sim.Retry{Base: sim.Duration(500 * time.Millisecond), Max: sim.Duration(30 * time.Second), Factor: 2}, 36},
		{"paho.mqtt.golang", specimen(t, "paho-go-default"), 6}, // 0, 1, 2, 4, 8 s
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWorld()
				w.holding = 50 * time.Millisecond
				f := testFleet(50)
				f.Bindings[0].Retry = test.retry
				b := start(t, w, f, 1, all(sim.ActConnect, 0))
				time.Sleep(20 * time.Second)
				calls := make([]int, f.Count)
				for _, c := range w.called() {
					calls[c.o]++
				}
				for o, n := range calls {
					if n != test.want {
						t.Errorf("device %d called %d times in 20 s, want %d", o, n, test.want)
					}
				}
				b.finish()
			})
		})
	}
}

func TestD2_3_DevicesThatDeclareNoPolicyBackOffFromAServerThatAcceptsAndCloses(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWorld()
		w.holding = 50 * time.Millisecond
		b := start(t, w, testFleet(50), 1, all(sim.ActConnect, 0))
		time.Sleep(10 * time.Minute)
		// Half of 1, 2 ... 32 s and of 60 s on average: 6 calls in the first 30 s, then two a minute.
		if n := len(w.called()); n < 50*20 || n > 50*32 {
			t.Errorf("%d calls of 50 devices in 10 minutes, want about 1,300", n)
		}
		b.finish()
	})
}

func specimen(t *testing.T, name string) sim.Retry {
	t.Helper()
	r, ok := sim.RetrySpecimen(name)
	if !ok {
		t.Fatalf("no policy %q", name)
	}
	return r
}

// The same over TCP: the peer takes the CONNECT, answers it, and closes.
func TestD2_3_APeerOverTCPThatAcceptsAndCloses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var connects atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				head := make([]byte, 2)
				if _, err := io.ReadFull(conn, head); err != nil || head[0] != 0x10 {
					return
				}
				if _, err := io.ReadFull(conn, make([]byte, head[1])); err != nil {
					return
				}
				connects.Add(1)
				conn.Write([]byte{0x20, 2, 0, 0})
				time.Sleep(2 * time.Millisecond)
			}()
		}
	}()
	f := testFleet(50)
	f.Bindings[0].Retry = backoff(20*time.Millisecond, 10*time.Second)
	b := prepared(t, newWorld(), f, &mqtt.Dialer{Binding: f.Bindings[0]})
	b.config.Endpoints = sim.Endpoints{sim.SchemeMQTT: {l.Addr().String()}}
	b.launch(all(sim.ActConnect, 0))
	for connects.Load() < 4*50 { // 140 ms of waiting at least
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Until(b.config.T0.Add(1200 * time.Millisecond)))
	b.config.Program.Finish()
	b.poke()
	b.all.Wait()
	// The waits are 20, 40, 80, 160, 320, 640 ms, and so on: call n is at 20 ms * (2^n - 1) or later.
	most, took := 1, time.Since(b.config.T0)
	for at := 20 * time.Millisecond; at < took; at = 2*at + 20*time.Millisecond {
		most++
	}
	if n := int(connects.Load()); n > 50*most {
		t.Errorf("%d connects of 50 devices in %v, want at most %d each", n, took, most)
	}
}
