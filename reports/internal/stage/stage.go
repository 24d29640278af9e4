// Package stage plays runs by hand, for the tests of folding and of judging. No product code imports it.
package stage

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

const ms = time.Millisecond

// Run is the number of the run that is played.
const Run = 77

// Plan is a plan of two fleets, "meters" over MQTT with QoS 1 and "rooms" over CoAP.
func Plan(meters, rooms int) *sim.Plan {
	return &sim.Plan{Seed: 4, Fleets: []sim.Fleet{
		{
			Name: "meters", Count: meters, Skills: []sim.Skill{{Name: sim.SkillReport, Topic: "t", Every: sim.Duration(time.Second)}},
			Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT, Version: "5", QoS: 1}},
		},
		{
			Name: "rooms", Count: rooms, Skills: []sim.Skill{{Name: sim.SkillReport, Topic: "t"}},
			Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelCoAP}},
		},
	}}
}

// Publish is a publish that took some time from when it was due.
func Publish(due sim.Instant, took time.Duration) *sim.Sample {
	return &sim.Sample{Op: sim.OpPublish, Due: due, Ready: due, Sent: due + ms, Done: due + took, Attempts: 1}
}

// Folded is the fold of what recorders hold.
func Folded(t testing.TB, p *sim.Plan, recorders ...*ledger.Recorder) *reports.Fold {
	t.Helper()
	f := reports.NewFold(p)
	for _, r := range recorders {
		s := r.Snapshot()
		if err := f.Add(&s); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// Stage is a run played by hand.
type Stage struct {
	Plan     *sim.Plan
	Recorder *ledger.Recorder
	Ledger   *ledger.Ledger
	In       reports.Input
	Seq      map[sim.Ordinal]uint32 // messages of each meter so far

	LostLinks bool // of another shard, whose log was too long

	t *testing.T
}

// New sets up ten meters (QoS 1, seen by a subscriber and the backend) and ten rooms
// (CoAP NON, seen by the backend) that run for a minute.
func New(t *testing.T, plan func(*sim.Plan)) *Stage {
	p := Plan(10, 10)
	if plan != nil {
		plan(p)
	}
	s := &Stage{t: t, Plan: p, Recorder: ledger.NewRecorder(p, 0, 0), Seq: make(map[sim.Ordinal]uint32)}
	s.Ledger = ledger.New(p, Run, s.Recorder)
	s.Ledger.Observable(0, true, true)
	s.Ledger.Observable(1, false, true)
	s.In = reports.Input{Plan: p, Length: time.Minute, Started: map[int]sim.Instant{}, Settled: map[int]ledger.Settling{}}
	return s
}

// Message sends one message of a meter, which is answered and arrives at both ends after took.
func (s *Stage) Message(o sim.Ordinal, due sim.Instant, took time.Duration) {
	seq := s.Send(o, due)
	s.Ledger.Account(0, 0, o).Acked(seq, due+took)
	m := Publish(due, took)
	m.Device = o
	s.Recorder.Record(m)
	s.Arrive(o, seq, due, due+took)
}

// Send sends a message of a meter, of which nothing more is known, and returns its number.
func (s *Stage) Send(o sim.Ordinal, due sim.Instant) uint32 {
	seq := s.Seq[o]
	s.Seq[o]++
	s.Ledger.Account(0, 0, o).Due(seq)
	s.Recorder.Count(sim.CountDue, 0, 0, due)
	s.Ledger.Account(0, 0, o).Sent(seq, s.Plan.Fleets[0].Data().QoS, due)
	return seq
}

// Arrive is one copy of a meter's message at both ends.
func (s *Stage) Arrive(o sim.Ordinal, seq uint32, due, at sim.Instant) {
	st := sim.Stamp{Run: Run, Device: o, Seq: seq, Due: due}
	s.Ledger.See(sim.Sighting{Stamp: st, At: at, Stored: true})
	s.Ledger.See(sim.Sighting{Stamp: st, At: at})
}

// Fail is n operations that end with an outcome at an instant. Of a connection that is one attempt: the device goes on.
func (s *Stage) Fail(op sim.Op, outcome sim.Outcome, at sim.Instant, n int) {
	ending := sim.Ended
	if op == sim.OpConnect {
		ending = sim.Tried
	}
	s.End(op, outcome, at, n, ending)
}

// End is n operations that were due at an instant and end without an answer.
func (s *Stage) End(op sim.Op, outcome sim.Outcome, at sim.Instant, n int, ending sim.Ending) {
	for range n {
		s.Recorder.Record(&sim.Sample{Op: op, Due: at, Done: at, Outcome: outcome, Ending: ending})
	}
}

// Phase is a phase whose edges the recorder knows.
func (s *Stage) Phase(name string, start, end sim.Instant) {
	s.Recorder.Mark(start)
	s.Recorder.Mark(end)
	s.In.Phases = append(s.In.Phases, ledger.PhaseSpan{Name: name, Start: start, End: end})
}

// Links brings meters up, or down.
func (s *Stage) Links(up bool, at sim.Instant, meters ...sim.Ordinal) {
	for _, o := range meters {
		s.Recorder.Link(0, 0, o, up, at)
	}
}

// All is every meter.
func (s *Stage) All() []sim.Ordinal { return []sim.Ordinal{0, 1, 2, 3, 4, 5, 6, 7, 8, 9} }

// Act adds an act to the plan that began at an instant.
func (s *Stage) Act(a sim.Act, at sim.Instant) int {
	s.Plan.Acts = append(s.Plan.Acts, a)
	s.In.Started[len(s.Plan.Acts)-1] = at
	return len(s.Plan.Acts) - 1
}

// Build ends the run and makes its result, which is not judged.
func (s *Stage) Build() *reports.Result {
	s.In.Ledger = s.Ledger.Close(s.In.Length+30*time.Second, time.Second)
	s.In.Fold = Folded(s.t, s.Plan, s.Recorder)
	if s.LostLinks {
		if err := s.In.Fold.Add(&ledger.Snapshot{Shard: 1, Truncated: true}); err != nil {
			s.t.Fatal(err)
		}
	}
	return reports.Build(&s.In)
}

// Steady sends n messages of each meter, one a second, each arriving within 10 ms.
func (s *Stage) Steady(n int) {
	for i := range n {
		for _, o := range s.All() {
			s.Message(o, time.Duration(i)*time.Second, 10*ms)
		}
	}
}

// Hole is a message that was acknowledged and never arrives.
func (s *Stage) Hole(o sim.Ordinal, due sim.Instant) {
	seq := s.Send(o, due)
	s.Ledger.Account(0, 0, o).Acked(seq, due+ms)
}

// Climb sends a message each 10 ms for a minute; the one due at t takes t/1000.
func (s *Stage) Climb() {
	for i := range 6000 {
		due := time.Duration(i) * 10 * ms
		s.Message(sim.Ordinal(i%10), due, due/1000)
	}
}

// Storm is a run in which the meters lose their connections at 20 s, with the outage's phase.
func (s *Stage) Storm(back sim.Instant, backlog map[int]int64) {
	all := &sim.Selection{Fleet: "meters", All: true}
	s.Act(sim.Act{Kind: sim.ActConnect, Select: all, Over: sim.Duration(5 * time.Second)}, 0)
	s.Act(sim.Act{Kind: sim.ActFault, Fault: &sim.Fault{Site: sim.SiteService, Name: "broker", Verb: "kill", For: sim.Duration(5 * time.Second)}}, 20*time.Second)
	s.Phase("outage", 20*time.Second, 30*time.Second)
	s.Links(true, 4*time.Second, s.All()...)
	s.Links(false, 20100*ms, s.All()...)
	s.Links(true, back, s.All()...)
	for n := range 60 {
		s.Recorder.Gauge(ledger.GaugePoint{At: time.Duration(n+1) * time.Second, Connected: 10, Backlog: 2 + backlog[n]})
	}
}

// Brokers are n endpoints of the meters, and one of the rooms.
func Brokers(n int) sim.Endpoints {
	names := []string{"a:1", "b:1", "c:1", "d:1"}
	return sim.Endpoints{sim.SchemeMQTT: names[:n], sim.SchemeCoAP: {"x:1"}}
}

// SettleDown brings meters up at an endpoint, or down there.
func (s *Stage) SettleDown(up bool, at sim.Instant, endpoint uint16, meters ...sim.Ordinal) {
	for _, o := range meters {
		s.Recorder.Link(0, endpoint, o, up, at)
	}
}
