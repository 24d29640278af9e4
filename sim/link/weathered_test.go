package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// exposed puts conn under weather whose run begins now.
func exposed(conn net.Conn, w sim.Weather, stream bool) *weathered {
	d := &Dialer{weather: w}
	c, err := d.expose(&sim.Caller{Key: 7, Ordinal: 3, T0: time.Now()}, stream)
	if err != nil {
		panic(err)
	}
	c.Conn = conn
	return c
}

// inWeather runs f in virtual time over a pipe, whose near end is under weather.
func inWeather(t *testing.T, w sim.Weather, stream bool, f func(t *testing.T, near *weathered, far net.Conn)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		a, far := net.Pipe()
		near := exposed(a, w, stream)
		f(t, near, far)
		_, _ = near.Close(), far.Close()
		time.Sleep(10 * closing) // what was held goes its way
		synctest.Wait()
		if n := near.dialer.leaving.conns; n != 0 {
			t.Errorf("%d conns are still leaving", n)
		}
		if o := &near.out; o.way != nil && !o.way.empty() {
			t.Errorf("%d bytes are still held", o.way.size)
		}
	})
}

// clockwork is what a conn heard, with the instants at which it did.
type clockwork struct {
	begun time.Time
	mu    sync.Mutex
	heard []string
	at    []time.Duration
	err   error
}

// listenTo reads conn until an error.
func listenTo(conn net.Conn) *clockwork {
	c := &clockwork{begun: time.Now()}
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, err := conn.Read(b)
			c.mu.Lock()
			if c.at = append(c.at, time.Since(c.begun)); err == nil {
				c.heard = append(c.heard, string(b[:n]))
			} else {
				c.err = err
			}
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return c
}

// expect compares what was heard, and when, with want.
func (c *clockwork) expect(t *testing.T, want ...any) {
	t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := 0; i < len(want); i += 2 {
		text, at := want[i].(string), want[i+1].(time.Duration)
		switch n := i / 2; {
		case n >= len(c.heard):
			t.Fatalf("%q was not heard; %q was", text, c.heard)
		case c.heard[n] != text || c.at[n] != at:
			t.Errorf("heard %q at %v, want %q at %v", c.heard[n], c.at[n], text, at)
		}
	}
	if n := len(want) / 2; len(c.heard) > n {
		t.Errorf("heard %q beside", c.heard[n:])
	}
}

// failure is the error that ended it; nil if none has.
func (c *clockwork) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if n, err := conn.Write([]byte(text)); err != nil || n != len(text) {
		t.Fatalf("%d bytes of %q, %v", n, text, err)
	}
}

// Each direction takes its delay, a stream and datagrams alike, and a reader is woken when something is
// due, whatever its deadline.
func TestWeatherDelays(t *testing.T) {
	for _, stream := range []bool{true, false} {
		inWeather(t, always(sim.Conditions{Delay: sim.Duration(100 * ms)}), stream, func(t *testing.T, near *weathered, far net.Conn) {
			heard, told := listenTo(far), listenTo(near)
			_ = near.SetReadDeadline(time.Now().Add(time.Hour))
			write(t, near, "one")
			time.Sleep(30 * ms)
			write(t, near, "two")
			write(t, far, "three")
			time.Sleep(time.Second)
			write(t, far, "four")
			write(t, near, "five")
			time.Sleep(time.Second)
			heard.expect(t, "one", 100*ms, "two", 130*ms, "five", 1130*ms)
			told.expect(t, "three", 130*ms, "four", 1130*ms)
		})
	}
}

// A delay that shrinks lets a datagram overtake another, and bytes of a stream never.
func TestWeatherOrder(t *testing.T) {
	w := sky(func(at sim.Instant) sim.Conditions {
		if at < 10*ms {
			return sim.Conditions{Delay: sim.Duration(100 * ms), Until: 10 * ms}
		}
		return sim.Conditions{}
	})
	for _, stream := range []bool{true, false} {
		inWeather(t, w, stream, func(t *testing.T, near *weathered, far net.Conn) {
			heard, told := listenTo(far), listenTo(near)
			write(t, near, "one")
			write(t, far, "one")
			time.Sleep(20 * ms)
			write(t, near, "two")
			write(t, far, "two")
			time.Sleep(time.Second)
			if stream {
				heard.expect(t, "one", 100*ms, "two", 100*ms)
				told.expect(t, "one", 100*ms, "two", 100*ms)
			} else {
				heard.expect(t, "two", 20*ms, "one", 100*ms)
				told.expect(t, "two", 20*ms, "one", 100*ms)
			}
		})
	}
}

// A cut holds a stream up until it ends, to the instant, and swallows datagrams.
func TestWeatherCuts(t *testing.T) {
	w := cut(100*ms, 1100*ms, sim.Conditions{Delay: sim.Duration(20 * ms)})
	for _, stream := range []bool{true, false} {
		inWeather(t, w, stream, func(t *testing.T, near *weathered, far net.Conn) {
			heard, told := listenTo(far), listenTo(near)
			for range 4 { // at 0, 0.5, 1 and 1.5 s
				write(t, near, "to")
				write(t, far, "fro")
				time.Sleep(500 * ms)
			}
			if stream {
				heard.expect(t, "to", 20*ms, "to", 1120*ms, "to", 1120*ms, "to", 1520*ms)
				told.expect(t, "fro", 20*ms, "fro", 1120*ms, "fro", 1120*ms, "fro", 1520*ms)
			} else {
				heard.expect(t, "to", 20*ms, "to", 1520*ms)
				told.expect(t, "fro", 20*ms, "fro", 1520*ms)
			}
		})
	}
}

// Under a cut a device's clock goes on: deadlines pass to the instant, those that are moved meanwhile too,
// and nothing is lost by them.
func TestWeatherDeadlines(t *testing.T) {
	w := cut(0, time.Second, sim.Conditions{})
	inWeather(t, w, true, func(t *testing.T, near *weathered, far net.Conn) {
		go func() { _, _ = far.Write([]byte("hello")) }()
		begun, b := time.Now(), make([]byte, 2)
		late := func(want time.Duration) {
			t.Helper()
			n, err := near.Read(b)
			if at := time.Since(begun); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || at != want {
				t.Errorf("%d bytes, %v at %v, want a deadline at %v", n, err, at, want)
			}
		}
		_ = near.SetReadDeadline(begun.Add(200 * ms))
		late(200 * ms)
		late(200 * ms)
		_ = near.SetReadDeadline(time.Time{})
		time.AfterFunc(100*ms, func() { _ = near.SetReadDeadline(time.Unix(1, 0)) })
		late(300 * ms)
		_ = near.SetReadDeadline(begun.Add(time.Hour))
		for _, want := range []string{"he", "ll", "o"} {
			n, err := near.Read(b)
			if at := time.Since(begun); err != nil || string(b[:n]) != want || at != time.Second {
				t.Errorf("%q, %v at %v, want %q at 1s", b[:n], err, at, want)
			}
		}
		_ = near.SetReadDeadline(begun.Add(2 * time.Second))
		late(2 * time.Second)
	})
}

// Whatever is written comes, whole and in order, through loss, cuts and a rate, both ways at once.
func TestWeatherKeepsStreamsWhole(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		c := sim.Conditions{Delay: sim.Duration(r.Int64N(int64(300 * ms))), Loss: r.Float64() * 0.2}
		if r.IntN(2) == 0 {
			c.Rate = 20_000 + r.Int64N(1<<20)
		}
		from := sim.Instant(r.Int64N(int64(5 * time.Second)))
		inWeather(t, cut(from, from+3*time.Second, c), true, func(t *testing.T, near *weathered, far net.Conn) {
			want := make([]byte, 600_000)
			for i := range want {
				want[i] = byte(r.Uint32())
			}
			var wg sync.WaitGroup
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				wg.Go(func() {
					for at, step := 0, 1; at < len(want); at, step = at+step, min(2*step, 9000) {
						step = min(step, len(want)-at)
						if _, err := way[0].Write(want[at : at+step]); err != nil {
							t.Error(err)
							return
						}
					}
				})
				wg.Go(func() {
					got := make([]byte, len(want))
					if _, err := io.ReadFull(way[1], got); err != nil || !bytes.Equal(got, want) {
						t.Errorf("seed %d: it came differently, %v", seed, err)
					}
				})
			}
			wg.Wait()
		})
	}
}

// A rate is kept within one per cent, each way by itself.
func TestWeatherRate(t *testing.T) {
	const rate, size = 20_000, 400_000
	inWeather(t, always(sim.Conditions{Rate: rate}), true, func(t *testing.T, near *weathered, far net.Conn) {
		begun := time.Now()
		var wg sync.WaitGroup
		for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
			wg.Go(func() { _, _ = way[0].Write(make([]byte, size)) })
			wg.Go(func() {
				_, _ = io.ReadFull(way[1], make([]byte, size))
				if took := time.Since(begun).Seconds(); took < 0.99*size/rate || took > 1.01*size/rate {
					t.Errorf("%v s, want %v", took, size/rate)
				}
			})
		}
		wg.Wait()
	})
}

// The link holds so much and no more: a writer then waits, until its deadline, until that is moved or
// until the conn is closed.
func TestWeatherHoldsABound(t *testing.T) {
	inWeather(t, cut(0, 10*time.Second, sim.Conditions{}), true, func(t *testing.T, near *weathered, far net.Conn) {
		heard := make(chan int)
		go func() {
			n, _ := io.Copy(io.Discard, far)
			heard <- int(n)
		}()
		begun, much, sent := time.Now(), make([]byte, 2*heldMost), 0
		stops := func(at time.Duration, want error) {
			t.Helper()
			n, err := near.Write(much)
			if sent += n; !errors.Is(err, want) || time.Since(begun) != at {
				t.Errorf("%d bytes, %v at %v, want %v at %v", n, err, time.Since(begun), want, at)
			}
		}
		_ = near.SetWriteDeadline(begun.Add(time.Second))
		stops(time.Second, os.ErrDeadlineExceeded)
		if sent < heldMost || sent >= heldMost+segmentSize {
			t.Errorf("%d bytes are held", sent)
		}
		stops(time.Second, os.ErrDeadlineExceeded)
		_ = near.SetWriteDeadline(time.Time{})
		time.AfterFunc(time.Second, func() { _ = near.SetDeadline(time.Unix(1, 0)) })
		stops(2*time.Second, os.ErrDeadlineExceeded)
		_ = near.SetWriteDeadline(time.Time{})
		stops(10*time.Second, nil) // when the cut ends there is room
		time.AfterFunc(time.Second, func() { _ = near.Close() })
		if n := <-heard; n != sent || time.Since(begun) != 11*time.Second {
			t.Errorf("%d bytes heard after %v, want %d", n, time.Since(begun), sent)
		}
	})
}

func TestWeatherCloseEndsWhoWaits(t *testing.T) {
	inWeather(t, always(sim.Conditions{Cut: true}), true, func(t *testing.T, near *weathered, far net.Conn) {
		begun := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := near.Write(make([]byte, 2*heldMost)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("write: %v", err)
			}
		})
		wg.Go(func() {
			if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("read: %v", err)
			}
		})
		time.Sleep(time.Second)
		if err := near.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if at := time.Since(begun); at != time.Second {
			t.Errorf("after %v", at)
		}
		for what, err := range map[string]error{"write": second(near.Write([]byte{1})), "read": second(near.Read([]byte{1})),
			"close": near.Close(), "deadline": near.SetDeadline(time.Time{})} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s after close: %v", what, err)
			}
		}
		// The peer hears of it only because a descriptor cannot be kept for ever.
		if _, err := far.Read(make([]byte, 1)); err != io.EOF || time.Since(begun) != time.Second+closing {
			t.Errorf("the peer: %v after %v", err, time.Since(begun))
		}
	})
}

// A goodbye, and the end behind it, go their way after Close; of a device without power only what has left
// it. The peer's end comes as late as its bytes.
func TestWeatherCloses(t *testing.T) {
	for name, c := range map[string]struct {
		weather sim.Weather
		abrupt  bool
		after   time.Duration
		want    []any
		end     time.Duration
	}{
		"clear":                {always(sim.Conditions{}), false, 0, []any{"goodbye", 0 * ms}, 0},
		"delayed":              {always(sim.Conditions{Delay: sim.Duration(100 * ms)}), false, 0, []any{"goodbye", 100 * ms}, 100 * ms},
		"later":                {always(sim.Conditions{Delay: sim.Duration(100 * ms)}), false, 50 * ms, []any{"goodbye", 100 * ms}, 150 * ms},
		"in a cut":             {cut(0, time.Second, sim.Conditions{}), false, 50 * ms, []any{"goodbye", time.Second}, time.Second},
		"abrupt":               {always(sim.Conditions{Delay: sim.Duration(100 * ms)}), true, 50 * ms, []any{"goodbye", 100 * ms}, 150 * ms},
		"abrupt in a cut":      {cut(0, time.Second, sim.Conditions{}), true, 50 * ms, nil, time.Second},
		"abrupt while it left": {always(sim.Conditions{Rate: 7}), true, 50 * ms, nil, 50 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			inWeather(t, c.weather, true, func(t *testing.T, near *weathered, far net.Conn) {
				heard := listenTo(far)
				write(t, near, "goodbye")
				time.Sleep(c.after)
				if c.abrupt {
					_ = near.SetLinger(0)
				}
				if err := near.Close(); err != nil {
					t.Error(err)
				}
				time.Sleep(10 * time.Second)
				heard.expect(t, c.want...)
				if n := len(heard.at); heard.err != io.EOF || heard.at[n-1] != c.end {
					t.Errorf("%v at %v, want the end at %v", heard.err, heard.at, c.end)
				}
			})
		})
	}
	inWeather(t, always(sim.Conditions{Delay: sim.Duration(100 * ms)}), true, func(t *testing.T, near *weathered, far net.Conn) {
		told := listenTo(near)
		write(t, far, "goodbye")
		_ = far.Close()
		time.Sleep(time.Second)
		told.expect(t, "goodbye", 100*ms)
		if told.err != io.EOF || told.at[1] != 100*ms {
			t.Errorf("%v at %v", told.err, told.at)
		}
	})
}

// Who waits for the last goodbye hears of it when it has come, or that it has not.
func TestWeatherDrains(t *testing.T) {
	inWeather(t, cut(0, time.Second, sim.Conditions{}), true, func(t *testing.T, near *weathered, far net.Conn) {
		heard := listenTo(far)
		if err := near.dialer.Drain(t.Context()); err != nil {
			t.Error(err) // nobody leaves
		}
		write(t, near, "goodbye")
		_ = near.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 100*ms)
		defer cancel()
		begun := time.Now()
		if err := near.dialer.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 100*ms {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		if err := near.dialer.Drain(t.Context()); err != nil || time.Since(begun) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		heard.expect(t, "goodbye", time.Second)
	})
}

// What a peer does not take stays held, and goes when it does.
func TestWeatherPeerThatDoesNotRead(t *testing.T) {
	inWeather(t, always(sim.Conditions{Delay: sim.Duration(100 * ms)}), true, func(t *testing.T, near *weathered, far net.Conn) {
		write(t, near, "hello")
		time.Sleep(time.Minute)
		b := make([]byte, 5)
		if _, err := io.ReadFull(far, b); err != nil || string(b) != "hello" {
			t.Errorf("%q, %v", b, err)
		}
		_ = far.Close()
		time.Sleep(time.Second)
		write(t, near, "nobody")
		time.Sleep(time.Second)
		if _, err := near.Write([]byte("again")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%v", err)
		}
	})
}

// The share of datagrams that get lost is the one that was asked for; those that come are on time.
func TestWeatherLoses(t *testing.T) {
	const packets, loss = 4000, 0.1
	inWeather(t, always(sim.Conditions{Delay: sim.Duration(50 * ms), Loss: loss}), false, func(t *testing.T, near *weathered, far net.Conn) {
		heard, told := listenTo(far), listenTo(near)
		for range packets {
			write(t, near, "to")
			write(t, far, "fro")
			time.Sleep(ms)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for _, c := range []*clockwork{heard, told} {
			const mean, most = packets * (1 - loss), 5 * 19 // five standard deviations
			if n := len(c.heard); n < mean-most || n > mean+most {
				t.Errorf("%d of %d came", n, packets)
			}
			for _, at := range c.at {
				if at < 50*ms || at%ms != 0 {
					t.Fatalf("one came at %v", at)
				}
			}
		}
	})
}

// Without weather to speak of nothing is allocated, neither at first nor for a message.
func TestClearWeatherAllocatesNothing(t *testing.T) {
	l := listen(t)
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = far.Close() }()
	c, b := exposed(near, always(sim.Conditions{}), true), make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() {
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := c.Write(b); err != nil {
			t.Error(err)
		}
		if _, err := far.Write(b); err != nil {
			t.Error(err)
		}
		if _, err := c.Read(b); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if c.in.way != nil || c.out.way != nil || c.out.timer != nil {
		t.Error("a clear sky is remembered")
	}
}
