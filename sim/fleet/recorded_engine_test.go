package fleet_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/pace"
)

// What ties the recorded traces to the engine stands in this file: how a plan is run, and what a stamp says.
// A change of the engine changes this file only, and no golden file.

const recordedRun = 0x5EED

// perform runs a plan whose services answer after trip, and writes down in tr what its devices do.
func perform(t *testing.T, p *sim.Plan, trip time.Duration, tr *trace) {
	t.Helper()
	target := newTarget(trip, tr)
	tr.plan = p
	keep := new(tape)
	s := &fleet.Solo{
		Devices: fleet.Crew{
			RunID: recordedRun, Recorder: keep, Account: ledger.New(p, recordedRun, keep).Account,
			Endpoints: target.endpoints(),
			Dialer: func(f *sim.Fleet, r sim.Role, w sim.Weather) (sim.Dialer, error) {
				return target.dialer(p.FleetIndex(f.Name), f.Binding(r)), nil
			},
		},
		Timeline: fleet.Timeline{
			Plan: p, T0: target.t0,
			Handle: target.handle,
			Command: func(ctx context.Context, i int, a *sim.Act, start sim.Instant) error {
				return command(ctx, target, p, i, a, start)
			},
		},
	}
	if err := s.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	course := s.Course()
	tr.length = course.Length
	for i := range p.Acts {
		if i > 0 && p.Acts[i].Segment > p.Acts[i-1].Segment {
			tr.starts = append(tr.starts, course.Started[i]-p.Acts[i].At.D())
		}
		if v, ok := course.Settled[i]; ok {
			tr.settled = append(tr.settled, v.In)
			if v.Reason != "" {
				t.Errorf("%s: %s", p.Acts[i].Origin, v.Reason)
			}
		}
	}
}

// stamp is what the stamp of a message says.
type stamp struct {
	text    []byte // as it stands in the payload
	command bool   // it is a command's, or its answer's
	fleet   int
	device  sim.Ordinal
	seq     uint32
	due     sim.Instant
}

// readStamp reads the stamp of a message; one without is of fleet -1.
func readStamp(p *sim.Plan, payload []byte) stamp {
	s, ok := sim.FindStamp(payload)
	if !ok || s.Run != recordedRun {
		return stamp{fleet: -1}
	}
	return stamp{
		text: s.Append(nil), command: !p.Fleets[s.Fleet].Streams()[s.Stream].Telemetry(), fleet: int(s.Fleet),
		device: s.Device, seq: s.Seq, due: s.Due,
	}
}

// ask is the payload of a command.
func ask(name string, fleet int, s sim.Stream, o sim.Ordinal, seq uint32, due sim.Instant) []byte {
	stamp := sim.Stamp{Run: recordedRun, Stream: s, Fleet: uint16(fleet), Device: o, Seq: seq, Due: due}
	return fmt.Appendf(nil, `{"command":%q,"_m":%q}`, name, stamp.Append(nil))
}

// command has the commands of an act sent at their instants, numbered over all acts as an operator does.
func command(ctx context.Context, target *logTarget, p *sim.Plan, act int, a *sim.Act, start sim.Instant) error {
	base := 0
	for i := range p.Acts[:act] {
		if b := &p.Acts[i]; b.Commands() {
			base += b.Select.Size(p.Fleets[p.FleetIndex(b.Select.Fleet)].Count)
		}
	}
	i := p.FleetIndex(a.Select.Fleet)
	f := &p.Fleets[i]
	key, size := sim.FleetKey(p.Seed, i), a.Select.Size(f.Count)
	type job struct {
		device sim.Ordinal
		seq    uint32
		due    sim.Instant
	}
	var jobs []job
	for o := range sim.Ordinal(f.Count) {
		if rank, ok := a.Select.Rank(key, o, f.Count); ok {
			jobs = append(jobs, job{o, uint32(base + rank), start + pace.Arrival(a, rank, size)})
		}
	}
	slices.SortFunc(jobs, func(a, b job) int { return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.seq, b.seq)) })
	streams := f.Streams()
	down := slices.IndexFunc(streams, func(s sim.StreamSpec) bool { return s.Down })
	for _, j := range jobs {
		select {
		case <-time.After(j.due - target.now()):
		case <-ctx.Done():
			return nil
		}
		target.tell(i, j.device, f.Data().Channel, sim.Inbound{
			Topic: []byte(f.Expand(streams[down].Topic, j.device)), QoS: streams[down].QoS,
			Payload: ask(a.Task.Args["name"], i, sim.Stream(down), j.device, j.seq, j.due),
		})
	}
	return nil
}
