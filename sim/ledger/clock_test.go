package ledger

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A message whose clock was kept coarse still lies within the clock's own error, whatever the instants are; and
// what a packed clock says holds too.
func TestClockKeepsItsError(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		var c clock
		var at []float64
		now := 0.0
		for seq := range uint32(3000) {
			switch seed % 4 {
			case 0:
				now += 1000
			case 1:
				now += r.Float64() * 2000
			case 2:
				if seq%100 == 0 {
					now += 60_000 // a burst after a minute offline
				}
			default:
				now += 1000 + r.Float64()*20
			}
			at = append(at, now)
			c.sent(seq, time.Duration(now*float64(time.Millisecond)))
			if late := r.Float64() * 100; seq%3 == 0 {
				c.settled(seq, time.Duration((now+late)*float64(time.Millisecond)))
			}
		}
		b := c.append(nil)
		var packed clock
		if u := (unpacker{b: b}); true {
			if u.clock(&packed); u.bad || len(u.b) != 0 {
				t.Fatalf("seed %d: the packed clock is damaged", seed)
			}
		}
		for _, k := range []*clock{&c, &packed} {
			next := uint32(0)
			for i := range k.knots {
				l := k.line(i)
				if l.lo != next {
					t.Fatalf("seed %d: line %d begins at %d, want %d", seed, i, l.lo, next)
				}
				for seq := l.lo; seq <= l.hi; seq++ {
					if off := l.at(seq) - at[seq]; off > k.blur+0.01 || off < -k.blur-0.01 {
						t.Fatalf("seed %d: message %d is %.1f ms off, more than %.1f", seed, seq, off, k.blur)
					}
					if first := l.first(l.at(seq) - 0.001); first > uint64(seq) {
						t.Fatalf("seed %d: the first at message %d's instant is %d", seed, seq, first)
					}
				}
				next = l.hi + 1
			}
			if next != 3000 || len(k.knots) > maxKnots+1 {
				t.Fatalf("seed %d: %d messages on %d lines", seed, next, len(k.knots))
			}
		}
		if seed%4 == 0 && len(c.knots) != 1 {
			t.Errorf("a steady stream has %d lines", len(c.knots))
		}
	}
}
