package ledger

import (
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// commandStage is a ledger of commands to ten meters (MQTT) and ten rooms (CoAP), which come down in stream 1.
func commandStage(plan func(*sim.Plan)) (*Ledger, *samples) {
	p := samplePlan(10, 10)
	for i := range p.Fleets {
		p.Fleets[i].Skills = []sim.Skill{{Name: sim.SkillReport, Topic: "t"}, {Name: sim.SkillObey, Listen: "do/{id}", Topic: "done/{id}"}}
	}
	p.Checks = []sim.Check{{Kind: sim.CheckAnswered, Within: sim.Duration(50 * ms)}, {Kind: sim.CheckAnswered, Within: sim.Duration(time.Second)}}
	if plan != nil {
		plan(p)
	}
	rec := new(samples)
	return New(p, oracleRun, rec), rec
}

type samples []sim.Sample

func (r *samples) Record(s *sim.Sample)                              { *r = append(*r, *s) }
func (*samples) Count(sim.Counter, uint16, uint16, sim.Instant)      {}
func (*samples) Link(uint16, uint16, sim.Ordinal, bool, sim.Instant) {}

// of counts the samples that ended so.
func (r samples) of(o sim.Outcome) int {
	n := 0
	for _, s := range r {
		if s.Outcome == o && !s.Unanswered && s.Op == sim.OpCommand {
			n++
		}
	}
	return n
}

// command n goes to device n, as its only one.
func commandStamp(fleet uint16, n uint32, due sim.Instant) *sim.Stamp {
	return &sim.Stamp{Run: oracleRun, Stream: 1, Fleet: fleet, Device: sim.Ordinal(n % 10), Seq: n / 10, Due: due}
}

func answer(fleet uint16, n uint32, at sim.Instant) sim.Sighting {
	stamp := *commandStamp(fleet, n, 0)
	stamp.Stream = 2
	return sim.Sighting{At: at, Stored: fleet == 1, Stamp: stamp}
}

func TestCommands(t *testing.T) {
	tell := func(c *Ledger, numbers ...uint32) {
		for _, n := range numbers {
			c.Told(commandStamp(0, n, 0), 0, ms)
		}
	}
	for name, tt := range map[string]struct {
		play       func(*Ledger)
		want       CommandTotals // without what is not exported
		within     []uint64      // of 50 ms, of 1 s
		ok, failed int           // samples
		waiting    int
	}{
		"nothing": {func(*Ledger) {}, CommandTotals{}, []uint64{0, 0}, 0, 0, 0},
		"answered in time, late and never": {func(c *Ledger) {
			tell(c, 0, 1, 2)
			c.See(answer(0, 0, 50*ms))
			c.See(answer(0, 1, 51*ms))
		}, CommandTotals{Due: 3, Sent: 3, Answered: 2, Unanswered: 1}, []uint64{1, 2}, 2, 1, 1},
		"answered thrice": {func(c *Ledger) {
			tell(c, 0)
			for range 3 {
				c.See(answer(0, 0, ms))
			}
		}, CommandTotals{Due: 1, Sent: 1, Answered: 1, Duplicated: 2}, []uint64{1, 1}, 1, 0, 0},
		"told twice": {func(c *Ledger) {
			tell(c, 0, 0)
			c.See(answer(0, 0, ms))
			tell(c, 0)
		}, CommandTotals{Due: 1, Sent: 1, Answered: 1}, []uint64{1, 1}, 1, 0, 0},
		"answered before it was told": {func(c *Ledger) {
			c.See(answer(0, 0, ms))
			tell(c, 0)
		}, CommandTotals{Due: 1, Sent: 1, Unanswered: 1, Phantom: 1}, []uint64{0, 0}, 0, 1, 1},
		"answered by another": {func(c *Ledger) {
			tell(c, 0)
			s := answer(0, 0, ms)
			s.Stamp.Device = 3
			c.See(s)
			s = answer(1, 0, ms)
			c.See(s)
			s = answer(0, 99, ms)
			c.See(s)
		}, CommandTotals{Due: 1, Sent: 1, Unanswered: 1, Phantom: 3}, []uint64{0, 0}, 0, 1, 1},
		"of another run, a report, stored by the broker": {func(c *Ledger) {
			tell(c, 0)
			s := answer(0, 0, ms)
			s.Stamp.Run++
			c.See(s)
			s = answer(0, 0, ms)
			s.Stamp.Stream = 0
			c.See(s)
			s = answer(0, 0, ms)
			s.Stored = true
			c.See(s)
			s = answer(9, 0, ms)
			c.See(s)
			s = answer(0, 0, ms)
			s.Stamp.Stream = 3
			c.See(s)
		}, CommandTotals{Due: 1, Sent: 1, Unanswered: 1}, []uint64{0, 0}, 0, 1, 1},
		"answered with the command's own mark": {func(c *Ledger) {
			tell(c, 0)
			c.See(sim.Sighting{At: ms, Stamp: *commandStamp(0, 0, 0)})
		}, CommandTotals{Due: 1, Sent: 1, Answered: 1}, []uint64{1, 1}, 1, 0, 0},
		"refused": {func(c *Ledger) {
			tell(c, 0, 1)
			c.Refused(commandStamp(0, 0, 0), sim.MQTTNotAuthorized, ms)
			c.Refused(commandStamp(0, 0, 0), sim.MQTTNotAuthorized, ms)
			c.Refused(commandStamp(0, 5, 0), sim.MQTTNotAuthorized, ms) // never told
			c.See(answer(0, 1, ms))
			c.Refused(commandStamp(0, 1, 0), sim.MQTTNotAuthorized, ms) // and yet answered
		}, CommandTotals{Due: 2, Sent: 1, Unsent: 1, Answered: 1}, []uint64{1, 1}, 1, 1, 0},
		"refused and answered": {func(c *Ledger) {
			tell(c, 0)
			c.Refused(commandStamp(0, 0, 0), sim.TCPReset, ms)
			c.See(answer(0, 0, 2*ms))
		}, CommandTotals{Due: 1, Sent: 1, Answered: 1}, []uint64{1, 1}, 1, 1, 0},
		"over CoAP the journal has commands too": {func(c *Ledger) {
			for n := range uint32(3) {
				c.Told(commandStamp(1, n, 0), 0, ms)
				c.See(sim.Sighting{At: ms, Stored: true, Stamp: *commandStamp(1, n, 0)})
			}
			c.See(answer(1, 1, 60*ms))
			c.See(answer(1, 1, 70*ms))
			received := answer(1, 0, ms)
			received.Stored = false
			c.See(received)
		}, CommandTotals{Due: 3, Sent: 3, Answered: 1, Duplicated: 1, Unanswered: 2}, []uint64{0, 1}, 1, 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			c, rec := commandStage(nil)
			tt.play(c)
			if n := c.Waiting(); n != tt.waiting {
				t.Errorf("%d wait, want %d", n, tt.waiting)
			}
			closed := c.Close(time.Minute, time.Second)
			var got CommandTotals
			if closed.Commands != nil {
				got = *closed.Commands
			}
			var within []uint64
			for _, limit := range []time.Duration{50 * ms, time.Second} {
				n, measured, counted := closed.AnsweredWithin(limit)
				if within = append(within, n); !counted || measured != got.Due {
					t.Errorf("%d measured (%t), want %d", measured, counted, got.Due)
				}
			}
			if _, _, counted := closed.AnsweredWithin(time.Minute); counted || !slices.Equal(within, tt.within) {
				t.Errorf("within %v, want %v", within, tt.within)
			}
			if got != tt.want {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
			for _, s := range closed.Streams { // the account of the stream says the same
				if s.Fleet == 0 && s.Stream == 1 && tt.want.Due > 0 && s.Due > 0 && (s.Due != got.Due || s.Received != got.Answered) {
					t.Errorf("stream %+v, commands %+v", s.Totals, got)
				}
			}
			failed := rec.of(sim.AppUnanswered) + rec.of(sim.MQTTNotAuthorized) + rec.of(sim.TCPReset)
			if rec.of(sim.OK) != tt.ok || failed != tt.failed {
				t.Errorf("%d answers and %d failures are recorded, want %d and %d", rec.of(sim.OK), failed, tt.ok, tt.failed)
			}
			recorded := len(*rec)
			c.See(answer(0, 0, ms))
			if again := c.Close(time.Minute, time.Second).Commands; again != nil && *again != got || len(*rec) != recorded {
				t.Error("a closed ledger goes on")
			}
		})
	}
}

// The instant that counts is the one it was due, and the warm-up is left out of claims.
func TestCommandsOfWarmUp(t *testing.T) {
	c, rec := commandStage(func(p *sim.Plan) { p.WarmUp = sim.Duration(time.Second) })
	for n, due := range []sim.Instant{999 * ms, time.Second} {
		c.Told(commandStamp(0, uint32(n), due), due, due)
		a := answer(0, uint32(n), 1010*ms)
		a.Stamp.Due = due
		c.See(a)
	}
	got := c.Close(time.Minute, time.Second)
	if in, measured, _ := got.AnsweredWithin(50 * ms); measured != 1 || in != 1 || got.Commands.Answered != 2 {
		t.Errorf("measured %d, in time %d, answered %d", measured, in, got.Commands.Answered)
	}
	for _, s := range *rec {
		if !s.Unanswered && s.Due != 999*ms && s.Due != time.Second {
			t.Errorf("a sample is due at %v", s.Due)
		}
	}
}

// What devices sent of their own accord does not hold commands and answers.
func TestCommandsAreNoTelemetry(t *testing.T) {
	l, _ := commandStage(nil)
	l.Observable(0, true, true)
	l.Told(commandStamp(0, 3, 0), 0, 0)
	l.See(answer(0, 3, ms))
	if s := l.Close(time.Minute, time.Second); s.All != (Totals{}) || l.Seen() != 0 || len(s.Devices) != 0 {
		t.Errorf("a command is a message: %+v", s.All)
	}
}

// TestD4_CommandsAndTheirStreamAgree: what could not be handed over, or was refused, is unsent in the ledger of commands
// and in the account of their stream alike.
func TestD4_CommandsAndTheirStreamAgree(t *testing.T) {
	c, _ := commandStage(nil)
	for n := range uint32(8) {
		c.Told(commandStamp(0, n, 0), 0, ms)
	}
	for n := range uint32(3) {
		c.Refused(commandStamp(0, n, 0), sim.TCPRefused, 2*ms)
	}
	c.Taken(commandStamp(0, 3, 0), 2*ms)
	c.See(answer(0, 3, 3*ms))
	c.See(answer(0, 0, 4*ms)) // refused, they said, and answered all the same: it came there
	got := c.Close(time.Minute, time.Second)
	want := CommandTotals{Due: 8, Sent: 6, Unsent: 2, Answered: 2, Unanswered: 4}
	if *got.Commands != want {
		t.Errorf("commands: %+v", *got.Commands)
	}
	for _, s := range got.Streams {
		if s.Fleet == 0 && s.Stream == 1 && (s.Due != want.Due || s.Sent != want.Sent || s.Unsent != want.Unsent || s.Refused != 0) {
			t.Errorf("their stream: %+v", s.Totals)
		}
	}
}
