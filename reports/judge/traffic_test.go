package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Ten devices send 1,000 bytes and receive 500 in each second of the first ten, then a tenth of it.
func TestJudgeTraffic(t *testing.T) {
	play := func(s *stage.Stage) {
		s.Phase("busy", 0, 10*time.Second)
		s.Phase("calm", 10*time.Second, 20*time.Second)
		var sent, received int64
		for n := range 60 {
			if n < 10 {
				sent, received = sent+1000, received+500
			} else {
				sent, received = sent+100, received+50
			}
			s.Recorder.Gauge(ledger.GaugePoint{At: time.Duration(n+1) * time.Second, BytesSent: sent, BytesReceived: received})
		}
	}
	check := func(limit float64, fleet, phase string) sim.Check {
		c := sim.Check{Kind: sim.CheckTraffic, Fleet: fleet, Bound: sim.AtMost, Limit: limit}
		if phase != "" {
			c.Window = sim.Window{Kind: sim.WindowPhase, Phase: phase}
		}
		return c
	}
	for name, tt := range map[string]struct {
		check sim.Check
		want  want
	}{
		"as much":   {check(12_960_000, "meters", "busy"), want{reports.Passed, 12.96, 15_000, "MB", "from 10s: 10 devices sent 10000 bytes and received 5000"}},
		"too much":  {check(12_000_000, "meters", "busy"), want{reports.Failed, 12.96, 15_000, "MB", "from 10s"}},
		"in kB":     {check(900_000, "meters", "calm"), want{reports.Failed, 1296, 1500, "kB", "sent 1000 bytes and received 500"}},
		"nothing":   {check(1000, "rooms", "calm"), want{reports.NotJudged, 0, 0, "", `no bytes of "rooms" were counted`}},
		"nobody":    {check(1000, "others", ""), want{reports.NotJudged, 0, 0, "", `no devices of "others"`}},
		"no window": {check(1000, "meters", "no"), want{reports.NotJudged, 0, 0, "", `phase "no" never began`}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, tt.check, play)) })
	}
}
