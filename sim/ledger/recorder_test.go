package ledger

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

const ms = time.Millisecond

// samplePlan is a plan of two fleets, "meters" over MQTT with QoS 1 and "rooms" over CoAP.
func samplePlan(meters, rooms int) *sim.Plan {
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

// publish is a publish that took some time from when it was due.
func publish(due sim.Instant, took time.Duration) *sim.Sample {
	return &sim.Sample{Op: sim.OpPublish, Due: due, Ready: due, Sent: due + ms, Done: due + took, Attempts: 1}
}

func TestRecorderIgnoresStrangers(t *testing.T) {
	p := samplePlan(1, 1)
	r := NewRecorder(p, 0, 0)
	r.Record(&sim.Sample{Op: sim.NumOps})
	r.Record(&sim.Sample{Fleet: 2})
	r.Record(&sim.Sample{Device: 1})
	r.Count(sim.NumCounters, 0, 0, 0)
	r.Count(sim.CountDue, 2, 0, 0)
	r.Link(0, 0, 1, true, 0)
	r.Gauge(GaugePoint{Fleet: 2, Connected: 1, Backlog: 1})
	if s := r.Snapshot(); len(s.Cells)+len(s.Links)+len(s.Gauges)+len(s.Errors) > 0 {
		t.Errorf("%+v", s)
	}
}

func TestRecordDoesNotAllocate(t *testing.T) {
	p := samplePlan(64, 1)
	r := NewRecorder(p, 0, 0)
	s := publish(time.Second, 5*ms)
	if n := testing.AllocsPerRun(1000, func() {
		s.Device = (s.Device + 1) % 64
		s.Endpoint = uint16(s.Device % 8)
		r.Record(s)
		r.Count(sim.CountSent, 0, s.Endpoint, s.Sent)
	}); n != 0 {
		t.Errorf("Record and Count allocate %v times", n)
	}
}

// A recorder keeps only so many link changes, and says once that there were more.
func TestLinkLogIsBounded(t *testing.T) {
	p := samplePlan(1, 1)
	r := NewRecorder(p, 0, 0)
	for i := range maxLinks + 1 {
		r.Link(0, 0, 0, i%2 == 0, time.Duration(i))
	}
	s := r.Snapshot()
	if !s.Truncated || len(s.Links) != maxLinks {
		t.Errorf("%d changes kept, truncated %v", len(s.Links), s.Truncated)
	}
	if again := r.Snapshot(); again.Truncated {
		t.Error("the flag is of one snapshot only")
	}
}

func BenchmarkRecord(b *testing.B) {
	p := samplePlan(1024, 1)
	r := NewRecorder(p, 0, 0)
	rnd := rand.New(rand.NewPCG(1, 1))
	samples := make([]sim.Sample, 4096)
	for i := range samples {
		samples[i] = *publish(time.Duration(i)*250*time.Microsecond, time.Duration(float64(ms)*(1+rnd.ExpFloat64())))
		samples[i].Device = sim.Ordinal(rnd.IntN(1024))
		r.Record(&samples[i])
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		r.Record(&samples[i%len(samples)])
	}
}
