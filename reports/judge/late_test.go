package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
)

// A claim on late subscribers: what fails it, and what leaves it open.
func TestD1_1_JudgeLateSubscribers(t *testing.T) {
	const s = time.Second
	in5 := sim.Check{Kind: sim.CheckLate, From: "meters", Bound: sim.Exactly, Within: sim.Duration(5 * s)}
	// play sends a value of three meters; boards subscribe later and get, of each, what give says.
	play := func(down time.Duration, boards int, give func(board, meter sim.Ordinal) int) func(*stage.Stage) {
		return func(st *stage.Stage) {
			for o := range sim.Ordinal(3) {
				st.Message(o, s, 10*ms)
				st.Message(o, 2*s, 10*ms)
			}
			for b := range sim.Ordinal(boards) {
				r := st.Ledger.Receiver(2, b)
				r.Up(false, false, 10*s)
				r.Since(9 * s)
				for o := range sim.Ordinal(3) {
					for range give(b, o) {
						r.Hear(&sim.Stamp{Run: stage.Run, Device: o, Seq: 1}, true, false, 11*s)
					}
				}
				r.Down(true, down)
			}
		}
	}
	once := func(sim.Ordinal, sim.Ordinal) int { return 1 }
	but := func(n int) func(sim.Ordinal, sim.Ordinal) int {
		return func(b, o sim.Ordinal) int {
			if b == 1 && o == 2 {
				return n
			}
			return 1
		}
	}
	for name, tt := range map[string]struct {
		play func(*stage.Stage)
		want want
	}{
		"all got it":    {play(50*s, 4, once), want{reports.Passed, 0, 12, "values", ""}},
		"one did not":   {play(50*s, 4, but(0)), want{reports.Failed, 1, 12, "values", "of 12 values due to 4 devices, 1 never came, 0 were old, 0 came too late; 0 came twice: boards-1"}},
		"one twice":     {play(50*s, 4, but(2)), want{reports.Failed, 1, 12, "values", "1 came twice: boards-1"}},
		"soon gone":     {play(13*s, 4, but(0)), want{reports.NotJudged, 0, 12, "values", "1 values still had time"}},
		"one never had": {play(50*s, 3, once), want{reports.NotJudged, 0, 9, "values", "1 devices never got their subscription"}},
		"nobody":        {func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "nobody subscribed after \"meters\" had published"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.compare(t, judgedOf(t, in5, func(p *sim.Plan) {
				listening(p)
				p.Fleets[0].Bindings[0].MQTT.Retain = true
			}, tt.play))
		})
	}
}
