package journal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

func FuzzRecord(f *testing.F) {
	f.Add(bytes.Repeat([]byte{0xFF}, recordSize))
	f.Add(make([]byte, recordSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < recordSize {
			return
		}
		r := decode(b)
		if again := r.append(nil); !bytes.Equal(again, b[:recordSize]) {
			t.Errorf("%x became %x", b[:recordSize], again)
		}
	})
}

// wall is a run's clock.
type wall struct{ t0 time.Time }

func (w wall) Now() sim.Instant { return time.Since(w.t0) }

func stamp(device, seq int) sim.Stamp {
	return sim.Stamp{Run: 7, Fleet: 1, Device: sim.Ordinal(device), Seq: uint32(seq), Due: time.Duration(seq) * time.Second}
}

func payload(s sim.Stamp) []byte {
	return append(s.Append([]byte(`{"t":21.5,"_m":"`)), `"}`...)
}

type order []sim.Sighting

func (o *order) See(s sim.Sighting) { *o = append(*o, s) }

// In virtual time both clocks stand still while they are compared: the instants are exact.
func TestReadCarriesInstantsOver(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		var got order
		done := make(chan error)
		time.Sleep(time.Hour)
		clock := wall{time.Now()}
		go func() { done <- Read(r, &got, clock, true) }()
		j := NewWriter(w, 0)
		const n = 5
		for i := range n {
			time.Sleep(time.Second)
			for _, p := range []string{"no stamp", string(payload(stamp(3, i)))} {
				if err := j.Note([]byte(p)); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = w.Close()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if len(got) != n {
			t.Fatalf("%d sightings", len(got))
		}
		for i, s := range got {
			if want := (sim.Sighting{Stamp: stamp(3, i), At: time.Duration(i+1) * time.Second, Stored: true}); s != want {
				t.Errorf("%d: got %+v, want %+v", i, s, want)
			}
		}
	})
}

func TestReadsWholeRecordsOnly(t *testing.T) {
	var b bytes.Buffer
	j := NewWriter(&b, 0)
	for i := range 10_000 {
		if err := j.Note(payload(stamp(1, i))); err != nil {
			t.Fatal(err)
		}
	}
	for name, r := range map[string]io.Reader{
		"at once": bytes.NewReader(b.Bytes()), "in halves": iotest.HalfReader(bytes.NewReader(b.Bytes())),
	} {
		var got order
		if err := Read(r, &got, wall{time.Now()}, true); err != nil || len(got) != 10_000 {
			t.Fatalf("%s: %d sightings, %v", name, len(got), err)
		}
		for i, s := range got {
			if s.Stamp != stamp(1, i) {
				t.Fatalf("%s: %d is %+v", name, i, s.Stamp)
			}
		}
	}
	var got order
	err := Read(bytes.NewReader(b.Bytes()[:recordSize+3]), &got, wall{time.Now()}, true)
	if err == nil || !strings.Contains(err.Error(), "3 bytes") || len(got) != 1 {
		t.Errorf("torn record: %d sightings, %v", len(got), err)
	}
}

// After a failed write nothing more is recorded, and so nothing may be acknowledged.
func TestWriterStaysFailed(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	j := NewWriter(w, 0)
	if err := j.Note(payload(stamp(0, 0))); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	for i := range 2 {
		if err := j.Note(payload(stamp(0, i))); err == nil {
			t.Error("noted without a reader")
		}
	}
	<-j.Failed()
	if j.Err() == nil {
		t.Error("no cause")
	}
	if err := j.Note([]byte("no stamp")); err != nil && !errors.Is(err, j.err) {
		t.Error(err)
	}
	_ = w.Close()
}

// A reader that never pauses is the dearest: it is woken for every write.
func BenchmarkWriter(b *testing.B) {
	for _, gather := range []time.Duration{0, 2 * time.Millisecond} {
		b.Run(gather.String(), func(b *testing.B) {
			r, w, err := os.Pipe()
			if err != nil {
				b.Fatal(err)
			}
			done := make(chan int64)
			go func() {
				n, _ := io.Copy(io.Discard, r)
				done <- n
			}()
			j, p, n := NewWriter(w, gather), payload(stamp(1, 1)), int64(0)
			b.ReportAllocs()
			for ; b.Loop(); n++ {
				if err := j.Note(p); err != nil {
					b.Fatal(err)
				}
			}
			if err := j.Flush(); err != nil {
				b.Fatal(err)
			}
			_ = w.Close()
			if got := <-done; got != n*recordSize {
				b.Errorf("%d bytes for %d records", got, n)
			}
		})
	}
}

// What is gathered is written when it is complete, when its time has come, or at a Flush.
func TestWriterGathers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var writes sizes
		const delay = 2 * time.Millisecond
		j := NewWriter(&writes, delay)
		see := func(n int) {
			for i := range n {
				j.See(sim.Sighting{Stamp: stamp(0, i), At: Clock{}.Now()})
			}
		}
		expect := func(what string, want ...int) {
			t.Helper()
			synctest.Wait()
			if got := writes.take(); !slices.Equal(got, want) {
				t.Errorf("%s: writes of %d records, want %d", what, got, want)
			}
		}
		const full = gatherSize / recordSize
		see(3)
		expect("at first")
		time.Sleep(delay / 2)
		see(2)
		time.Sleep(delay / 2)
		expect("since the first", 5)
		time.Sleep(time.Hour)
		expect("nothing to write")
		see(full + 1)
		expect("full", full)
		time.Sleep(delay)
		expect("the rest", 1)
		see(1)
		if err := j.Flush(); err != nil {
			t.Fatal(err)
		}
		expect("flushed", 1)
		time.Sleep(time.Hour)
		expect("once only")
	})
}

// Sightings come out as they went in, with the reader's word on where they were made.
func TestSightingsAreCarriedOver(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		clock := wall{time.Now()}
		time.Sleep(time.Minute)
		var b bytes.Buffer
		j := NewWriter(&b, time.Millisecond)
		j.See(sim.Sighting{Stamp: stamp(5, 9), At: Clock{}.Now() - time.Second, Stored: true})
		if err := j.Flush(); err != nil {
			t.Fatal(err)
		}
		for _, stored := range []bool{false, true} {
			var got order
			err := Read(bytes.NewReader(b.Bytes()), &got, clock, stored)
			want := sim.Sighting{Stamp: stamp(5, 9), At: 59 * time.Second, Stored: stored}
			if err != nil || len(got) != 1 || got[0] != want {
				t.Errorf("got %+v, want %+v, %v", got, want, err)
			}
		}
	})
}

func TestWriterOfNothing(t *testing.T) {
	j := NewWriter(nil, time.Millisecond)
	j.See(sim.Sighting{})
	if err := errors.Join(j.Note(payload(stamp(0, 0))), j.Flush(), j.Err()); err != nil || j.Failed() != nil {
		t.Error(err)
	}
}

// sizes is a writer that keeps how many records each write had.
type sizes struct {
	mu   sync.Mutex
	list []int
}

func (s *sizes) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, len(b)/recordSize)
	return len(b), nil
}

func (s *sizes) take() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.list
	s.list = nil
	return list
}

// paused is a witness that is told of stalls.
type paused struct {
	order
	from, to sim.Instant
}

func (p *paused) Stalled(from, to sim.Instant) { p.from, p.to = from, to }

// A stall is told to who wants to know, in the run's time, and is no sighting for anybody.
func TestStallsAreCarriedOver(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		clock := wall{time.Now()}
		time.Sleep(time.Minute)
		var b bytes.Buffer
		j := NewWriter(&b, 0)
		j.Stall(time.Now().Add(-2*time.Second), time.Now().Add(-time.Second))
		if err := j.Note(payload(stamp(1, 2))); err != nil {
			t.Fatal(err)
		}
		told, deaf := new(paused), new(order)
		for _, w := range []sim.Witness{told, deaf} {
			if err := Read(bytes.NewReader(b.Bytes()), w, clock, true); err != nil {
				t.Fatal(err)
			}
		}
		if told.from != 58*time.Second || told.to != 59*time.Second || len(told.order) != 1 || len(*deaf) != 1 {
			t.Errorf("from %v to %v, %d and %d sightings", told.from, told.to, len(told.order), len(*deaf))
		}
	})
}
