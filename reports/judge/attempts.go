package judge

import (
	"fmt"
	"math"
	"time"
)

// attempts judges how often a device of a fleet tried to connect, on average over all of them.
func (j *judge) attempts(f *finding) {
	in, ok := j.during(f)
	if !ok {
		return
	}
	fleet := j.in.Plan.FleetIndex(f.Check.Fleet)
	if fleet < 0 {
		f.skip("the run has no devices of %q", f.Check.Fleet)
		return
	}
	_, n := j.tried(f.Check.Fleet, in)
	devices := j.in.Plan.Fleets[fleet].Count
	f.claim(float64(n)/float64(devices), f.Check.Bound, f.Check.Limit, int64(n), "times")
	f.Note = fmt.Sprintf("%d attempts of %d devices", n, devices)
}

// peakToMean judges how many times the mean the busiest second of the connect rate was.
func (j *judge) peakToMean(f *finding) {
	in, ok := j.during(f)
	if !ok {
		return
	}
	perSecond, n := j.tried(f.Check.Fleet, in)
	if n == 0 {
		f.skip("no connection was attempted")
		return
	}
	last := int((j.in.Length + time.Second - 1) / time.Second)
	mean := float64(n) / float64(max(1, min(in.to, last)-in.from))
	peak, at := j.peak(perSecond)
	f.claim(float64(peak)/mean, f.Check.Bound, f.Check.Limit, int64(n), "times")
	f.Note = fmt.Sprintf("%d/s in second %d, and %s/s on average", peak, at, amount(math.Round(100*mean)/100))
}

// tried are the connection attempts of a fleet ("": of all) in some seconds, the warm-up included, and their sum.
func (j *judge) tried(fleet string, in stretch) (perSecond map[int]uint64, sum uint64) {
	perSecond = make(map[int]uint64)
	for i := range j.r.Frames {
		if fr := &j.r.Frames[i]; (fleet == "" || fleet == fr.Fleet) && in.has(fr.Second) {
			perSecond[fr.Second] += fr.Attempts
			sum += fr.Attempts
		}
	}
	return perSecond, sum
}
