package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// How connections are spread over the nodes of a cluster is what the nodes told; devices saw one address.
func TestJudgeSpreadOverNodes(t *testing.T) {
	names := []string{"broker 1", "broker 2", "broker 3"}
	for name, tt := range map[string]struct {
		held *ledger.Held
		want want
	}{
		"even":             {&ledger.Held{Nodes: names, Each: []int{4, 3, 3}, At: 7 * time.Second}, want{reports.Passed, 0, 10, "%", "broker 1 told that it held 4 of 10 connections in second 7, Myriad's own among them; an even part is 3.333"}},
		"uneven":           {&ledger.Held{Nodes: names, Each: []int{1, 5, 3}}, want{reports.Failed, 200. / 3, 9, "%", "broker 1 told that it held 1 of 9"}},
		"one too much":     {&ledger.Held{Nodes: names, Each: []int{2, 4, 3}}, want{reports.Failed, 100. / 3, 9, "%", "broker 1 told that it held 2 of 9"}},
		"none":             {&ledger.Held{Nodes: names, Each: []int{0, 0, 0}}, want{reports.NotJudged, 0, 0, "", "no node held a connection"}},
		"never all":        {&ledger.Held{Nodes: names}, want{reports.NotJudged, 0, 0, "", "there was no moment at which each node told"}},
		"nobody was asked": {nil, want{reports.NotJudged, 0, 0, "", "there was no moment at which each node told"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := judged(t, sim.Check{Kind: sim.CheckSpread, Bound: sim.AtMost, Limit: 0.2}, func(s *stage.Stage) {
				s.In.Plan.Target.Nodes = 3
				s.In.Held = tt.held
			})
			tt.want.compare(t, f)
		})
	}
}
