package cluster

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// What the coordinator knows of outages comes to the workers with the next pulse, and to the accounts of all
// that they carry: what was sent then is kept, however long ago it was.
func TestOutagesReachTheAccounts(t *testing.T) {
	co := start(t, t.TempDir(), Config{Expect: 1, Job: Job{Plan: reportingPlan(), Shards: 2}})
	defer co.Close()
	crowd(t, co, 100)
	if p := beats(t, co, 0); len(p.Away) != 0 {
		t.Errorf("nothing was said, and the worker hears of %+v", p.Away)
	}
	outage := ledger.Outage{Endpoint: "b:1", Of: 1, From: time.Second, To: 2 * time.Second}
	co.Away([]ledger.Outage{outage})
	p := beats(t, co, 0)
	if len(p.Away) != 1 || p.Away[0] != outage {
		t.Fatalf("the worker hears of %+v", p.Away)
	}

	job := &co.c.Job
	w := &Worker{ready: true, t0: 1}
	part := newPart(job, claim{})
	part.crew = &fleet.Crew{Plan: job.Plan}
	w.parts = append(w.parts, part)
	if err := w.obey(&p, &orders{job: job}); err != nil {
		t.Fatal(err)
	}
	a := part.accounts.Account(0, 0, 0)
	for seq := range uint32(100) { // one a second, at half past
		at := time.Duration(seq)*time.Second + 500*time.Millisecond
		a.Due(seq)
		a.Sent(seq, 1, at)
		a.Acked(seq, at)
	}
	l := ledger.New(job.Plan, 1, ledger.NewRecorder(job.Plan, 0, 0))
	l.Afar(2)
	l.Observable(0, true, false)
	l.Away(p.Away)
	if err := part.accounts.Pack(l.Merge); err != nil {
		t.Fatal(err)
	}
	if s := l.Close(time.Hour, 0); s.All.Unwatched != 2 || s.All.Lost != 98 { // at 1.5 s and 2.5 s
		t.Errorf("%+v", s.All)
	}
}

func reportingPlan() *sim.Plan {
	p := testPlan()
	p.Fleets[0].Skills = []sim.Skill{{Name: sim.SkillReport, Topic: "t"}}
	return p
}
