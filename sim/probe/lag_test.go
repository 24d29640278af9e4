package probe

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// A connection that stood is behind until a message comes that is hardly later than usual, or nothing comes.
func TestD1_10_BehindUntilItHasRead(t *testing.T) {
	const ms = time.Millisecond
	bubble.Test(t, func(t *testing.T) {
		p := &Probe{}
		a, b := &listener{probe: p, outage: -1, heard: time.Now()}, &listener{probe: p, outage: -1, heard: time.Now()}
		p.ears = []*listener{a, b}
		read := func(l *listener, late time.Duration) {
			l.heard = time.Now()
			l.lag.read(late)
		}
		want := func(what string, behind bool) {
			t.Helper()
			if p.behind() != behind {
				t.Errorf("%s: behind is %v", what, !behind)
			}
		}
		read(a, time.Hour+5*ms) // the clocks differ by an hour
		read(b, time.Hour+3*ms)
		want("before anything", false)
		time.Sleep(3 * time.Second)
		p.stood()
		want("after it stood", true)
		read(b, time.Hour+100*ms)
		want("one has read", true)
		for range 10 {
			time.Sleep(100 * ms)
			read(a, time.Hour+2*time.Second)
			want("the other reads old messages", true)
		}
		read(a, time.Hour+250*ms)
		want("a fresh one came", false)

		p.stood()
		time.Sleep(200 * ms)
		want("nothing came yet", true)
		time.Sleep(100 * ms)
		want("nothing comes", false)

		p.stood()
		read(b, time.Hour)
		a.outage = 0
		want("one has lost its connection", false)
	})
}
