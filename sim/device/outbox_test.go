package device

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

// The outbox does what a plain slice does.
func TestOutboxAgainstASlice(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		capacity, newest := r.IntN(40), r.IntN(2) == 0
		var box outbox
		var waiting, inflight []uint32
		numbers := func(list []item) (seqs []uint32) {
			for i := range list {
				seqs = append(seqs, list[i].seq)
			}
			return seqs
		}
		for seq := range uint32(3000) {
			switch n := r.IntN(10); {
			case n < 5:
				out, full := box.push(item{seq: seq}, capacity, newest)
				switch {
				case len(waiting) < capacity:
					if waiting = append(waiting, seq); full {
						t.Fatalf("seed %d: %d of %d waited, and %d fell out", seed, len(waiting)-1, capacity, out.seq)
					}
				case newest || capacity == 0:
					if !full || out.seq != seq {
						t.Fatalf("seed %d: %d fell out (%v), want the new one, %d", seed, out.seq, full, seq)
					}
				default:
					if !full || out.seq != waiting[0] {
						t.Fatalf("seed %d: %d fell out (%v), want the oldest, %d", seed, out.seq, full, waiting[0])
					}
					waiting = append(waiting[1:], seq)
				}
			case n < 7 && len(waiting) > 0:
				if front := box.waiting.front().seq; front != waiting[0] {
					t.Fatalf("seed %d: the front is %d, want %d", seed, front, waiting[0])
				}
				box.inflight = append(box.inflight, box.waiting.pop())
				inflight, waiting = append(inflight, waiting[0]), waiting[1:]
			case n < 9 && len(inflight) > 0:
				i := r.IntN(len(inflight))
				if got, ok := box.answered(0, inflight[i]); !ok || got.seq != inflight[i] {
					t.Fatalf("seed %d: answered %d, %v, want %d", seed, got.seq, ok, inflight[i])
				}
				inflight = slices.Delete(inflight, i, i+1)
			case r.IntN(10) == 0:
				box.requeue(func(sim.Stream) bool { return false })
				waiting, inflight = append(slices.Clone(inflight), waiting...), nil
			}
			if _, ok := box.answered(0, seq+1); ok {
				t.Fatalf("seed %d: an answer to %d, which was never sent", seed, seq+1)
			}
			if got := numbers(box.waiting.items[box.waiting.head:]); !slices.Equal(got, waiting) {
				t.Fatalf("seed %d: %v wait, want %v", seed, got, waiting)
			}
			if box.len() != len(waiting)+len(inflight) || !slices.Equal(numbers(box.inflight), inflight) {
				t.Fatalf("seed %d: %d held, %v in flight, want %v", seed, box.len(), numbers(box.inflight), inflight)
			}
			if c := cap(box.waiting.items); c > 4*(40+len(waiting)+len(inflight)) {
				t.Fatalf("seed %d: room for %d, and %d wait", seed, c, len(waiting))
			}
		}
	}
}

func TestOutboxGivesMemoryBack(t *testing.T) {
	var box outbox
	for seq := range uint32(1000) {
		box.push(item{seq: seq}, 1000, false)
	}
	for range 1000 {
		box.waiting.pop()
	}
	if c := cap(box.waiting.items); c != 0 {
		t.Errorf("an empty queue keeps room for %d", c)
	}
}

// Draining a long queue, and keeping a full one, take the same time for each report however long it is.
func BenchmarkOutbox(b *testing.B) {
	for _, n := range []struct {
		name string
		n    int
	}{{"100", 100}, {"100000", 100_000}} {
		b.Run("drain/"+n.name, func(b *testing.B) {
			b.ReportAllocs()
			var box outbox
			for range b.N {
				if box.waiting.len() == 0 {
					for range n.n {
						box.push(item{}, n.n, false)
					}
				}
				box.waiting.pop()
			}
		})
		b.Run("overflow/"+n.name, func(b *testing.B) {
			b.ReportAllocs()
			var box outbox
			for i := range b.N {
				box.push(item{seq: uint32(i)}, n.n, false)
			}
		})
	}
}

// Effects counts what devices do, one by one.
func TestEffects(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 2))
		f, _, acts := story(r, []string{"fixed-5s"})
		p := NewProgram()
		for i := range acts {
			acts[i].Curve = []sim.Curve{sim.CurveEvenly, sim.CurveBursts, sim.CurveExponentially, ""}[r.IntN(4)]
			p.Add(&acts[i], acts[i].At.D())
		}
		s := p.current.Load()
		last := s.acts[len(s.acts)-1].start
		p.End(last - last/4)
		s = p.current.Load()
		for range 50 {
			until := sim.Instant(r.Int64N(int64(last) + 1))
			want := int64(0)
			for o := range sim.Ordinal(f.Count) {
				for c := (cursor{}); ; {
					at, instant, what := s.next(c, sim.FleetKey(seed, 0), o, f.Count)
					if what == effectNone {
						break
					}
					if instant <= until {
						want++
					}
					c = s.after(at)
				}
			}
			parts := int64(0)
			for shard := range 3 {
				parts += p.EffectsOn(shard, 3, sim.FleetKey(seed, 0), f.Count, until)
			}
			if parts != want {
				t.Errorf("%v: %d effects on three shards, want %d", until, parts, want)
			}
			if got := p.Effects(f.Count, until); got != want {
				t.Fatalf("seed %d: %d effects until %v, the devices see %d", seed, got, until, want)
			}
		}
	}
}
