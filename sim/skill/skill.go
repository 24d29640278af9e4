// Package skill says what a device can do, and what it needs for that: the words between the rooms
// sim/skill/<name>, one for each skill, and the host that runs them (sim/device).
//
// A [Skill] is a value that all devices of a fleet share; what is one device's own is its [Self]. The
// host calls a device's skills from the device's goroutine only, one at a time. It keeps what all skills
// share: power, the line, reconnects, the outbox, the account of every message. What only some skills
// need is a small interface of its own ([Composer], [Powered], [Tasked], [Linked], [Busy], [Settler],
// [Runner]), which the host looks for once, when the fleet is prepared.
package skill

import (
	"context"
	"math"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/pace"
	"github.com/myriad-iot/myriad/sim/payload"
)

// Forever is an instant that no run reaches.
const Forever = sim.Instant(math.MaxInt64 / 2)

// Course is the part of the timeline that is known so far: intended instants depend on it and on the plan.
type Course struct {
	Load pace.Load   // the multiplier of the rate
	End  sim.Instant // nothing that is due at or after it is done
}

// Skill is one thing that the devices of a fleet can do.
type Skill interface {
	// Next is when Do is due next, [Forever] if it is not. It is asked often and must not change s.
	Next(s *Self, c *Course) sim.Instant
	// Do does what is due at an instant, which Next named: it sends, or begins an errand.
	Do(s *Self, at sim.Instant)
	// Hear takes a message of this run that came for the device, read at an instant, and reports whether it
	// was for this skill. Neither in nor stamp is valid afterwards.
	Hear(s *Self, in *sim.Inbound, stamp *sim.Stamp, at sim.Instant) bool
}

// Composer is a skill that sends messages.
type Composer interface {
	// Compose writes the payload of message seq, due at an instant, into w.Payload. A message that has to be
	// sent again is composed again and must come out the same.
	Compose(s *Self, seq uint32, due sim.Instant, w *Draft)
}

// Powered is a skill that wants to know of the device's power.
type Powered interface {
	Power(s *Self, on bool, c *Course, at sim.Instant)
}

// Tasked is a skill that a story can ask to do something.
type Tasked interface {
	// Begin starts the task at its instant. With replay it only brings s to where it was: another process had
	// the device then.
	Begin(s *Self, t *sim.Task, at sim.Instant, replay bool)
}

// Linked is a skill that wants to know when the device's session comes up, and whether the peer had kept
// it, and when it goes down.
type Linked interface {
	Link(s *Self, up, present bool, at sim.Instant)
}

// Busy is a skill that may have something under way that "settled" and the end of a run wait for, beside
// its messages.
type Busy interface{ Pending(s *Self) int }

// Settler is a skill that wants to know what became of its messages: acknowledged (OK), refused or dropped.
type Settler interface {
	Settled(s *Self, seq uint32, due, at sim.Instant, o sim.Outcome)
}

// Runner is a skill that begins errands. Returned is called when one is over, with the errand's error.
type Runner interface {
	Returned(s *Self, err error, at sim.Instant)
}

// Errand is work that takes its time on a line that fetches. It runs on a goroutine of its own while the
// device goes on, and must not touch the Self: what it found out reaches Returned by the error, or by what
// the closure shares with the skill and is read there. open gives a line, and closes the one that it gave
// before: an errand asks for another when one has failed. The last is closed when the errand is over. ctx
// ends when the device loses its power, or the run.
type Errand func(ctx context.Context, open Open) error

// Open opens a line that fetches. An outcome but OK says why there is none.
type Open func(ctx context.Context) (sim.Requester, sim.Outcome)

// Shared is what all devices of a fleet share.
type Shared struct {
	Fleet *sim.Fleet
	Index uint16    // of the fleet in the plan
	Run   uint32    // goes into every stamp
	T0    time.Time // the run's origin
}

// Body is the device that skills belong to. The host keeps it; skills only read it.
type Body struct {
	*Shared
	Host    Host
	Ordinal sim.Ordinal
	Calls   uint32 // connection attempts so far
	Key     uint64 // of the device's random streams
	ID      string // see sim.Fleet.DeviceID
}

// Self is one device's part of a skill.
type Self struct {
	*Body
	State  any    // the skill's own; made by New
	Topic  string // where its messages go, with the device's names
	Number uint8  // of the skill in the fleet
	Stream sim.Stream
}

// Stamp is the mark of one of the skill's messages.
func (s *Self) Stamp(seq uint32, due sim.Instant) sim.Stamp {
	return sim.Stamp{Run: s.Run, Stream: s.Stream, Fleet: s.Index, Device: s.Ordinal, Seq: seq, Due: due}
}

// StreamKey is the key of the random streams of the skill: those of a fleet's first stream are the
// device's, so that adding a skill never shifts another.
func (s *Self) StreamKey() uint64 {
	if s.Stream == 0 {
		return s.Key
	}
	return sim.Mix(s.Key ^ uint64(s.Stream)<<56)
}

// Host is what a device offers to its skills. Its methods are for the device's goroutine.
type Host interface {
	// Send puts message seq of the skill's stream into the outbox; numbers are dense from 0. An answer for
	// which there is no room is not taken: false.
	Send(s *Self, seq uint32, due sim.Instant) bool
	// Start begins an errand on lines of a role. It returns at once; see [Runner].
	Start(s *Self, r sim.Role, e Errand)
	// Note records an operation that was due at an instant and is over.
	Note(op sim.Op, due, done sim.Instant, o sim.Outcome)
}

// Traveller is a host that keeps account of journeys. A skill asks its host for it, and says there how far the
// device has come.
type Traveller interface {
	// Enter says that the device comes into a state of a journey at an instant. A state that is no end begins a
	// journey where none is under way; an end state ends it. A journey that the run keeps no account of is
	// ignored, and so is what happens after the timeline's end.
	Enter(s *Self, j sim.Journey, state sim.State, at sim.Instant)
}

// Stateful is a skill that keeps something of each device.
type Stateful interface {
	// New is what it keeps of a device that was just made.
	New() any
}

// Draft is what a message needs while it is written. Hosts lend it: what interface methods are given lives
// on the heap, and a device should neither make a new one for every message nor own it.
type Draft struct {
	Payload []byte
	Reading payload.Reading
}
