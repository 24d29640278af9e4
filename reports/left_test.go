package reports_test

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

const second = time.Second

// away plays half a minute in which the far end is not watched from 10 to 12 s, when two messages are not seen; two
// more are not seen at 20 s.
func away(t *testing.T, stored bool, outages ...ledger.Outage) *stage.Stage {
	s := stage.New(t, nil)
	s.Ledger.Observable(0, true, stored)
	s.Ledger.Away(outages)
	s.Steady(25)
	for _, at := range []sim.Instant{10500, 10600, 20500, 20600} {
		seq, due := s.Send(3, at*time.Millisecond), at*time.Millisecond
		s.Ledger.Account(0, 0, 3).Acked(seq, due+10*time.Millisecond)
		s.Recorder.Record(stage.Publish(due, 10*time.Millisecond))
		if stored {
			s.Ledger.See(sim.Sighting{Stamp: sim.Stamp{Run: stage.Run, Device: 3, Seq: seq, Due: due}, At: due, Stored: true})
		}
	}
	s.Message(3, 30*second, 10*time.Millisecond)
	s.Build()
	return s
}

// D1 row 12: what nobody watched is left out of the seconds in which it was sent, and of no others. What a killed
// broker took, and stored, before the probe was back is such; where the probe was always there, it has missed its
// subscriber.
func TestD1_12_LeftOutInItsSecond(t *testing.T) {
	outage := ledger.Outage{Of: 1, From: 10 * second, To: 12 * second}
	for name, tt := range map[string]struct {
		s                 *stage.Stage
		op                sim.Op
		early, late, both reports.Left
	}{
		"watched":                  {away(t, false), sim.OpEndToEnd, reports.Left{Missed: 2}, reports.Left{Missed: 2}, reports.Left{Missed: 4}},
		"away":                     {away(t, false, outage), sim.OpEndToEnd, reports.Left{Cut: 2}, reports.Left{Missed: 2}, reports.Left{Missed: 2, Cut: 2}},
		"stored":                   {away(t, true), sim.OpEndToEnd, reports.Left{Missed: 2}, reports.Left{Missed: 2}, reports.Left{Missed: 4}},
		"stored, away":             {away(t, true, outage), sim.OpEndToEnd, reports.Left{Cut: 2}, reports.Left{Missed: 2}, reports.Left{Missed: 2, Cut: 2}},
		"stored, away, to a store": {away(t, true, outage), sim.OpStorage, reports.Left{}, reports.Left{}, reports.Left{}},
	} {
		for _, w := range []struct {
			from, to int
			want     reports.Left
		}{{10, 11, tt.early}, {20, 21, tt.late}, {0, 31, tt.both}, {0, 10, reports.Left{}}, {13, 20, reports.Left{}}} {
			if got := tt.s.In.LeftIn(tt.op, w.from, w.to, 0); got != w.want {
				t.Errorf("%s: %d to %d s: %+v, want %+v", name, w.from, w.to, got, w.want)
			}
		}
		if got := tt.s.In.Left(0, reports.Forever, tt.op, 0); got != tt.both {
			t.Errorf("%s: the run: %+v, want %+v", name, got, tt.both)
		}
	}
}
