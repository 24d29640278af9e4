package fault

import (
	"context"
	"errors"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Kind is one thing that can be broken, of a service or of devices.
type Kind struct {
	Site sim.Site
	Verb string // in [sim.Fault]: "kill"

	// Severs: connections end. Of a service it is all of them, and devices connect again when it is over. Of
	// a device it is its own, and its peer is told nothing: the socket stays open, as far as the peer can see.
	Severs bool

	// Of services.
	Done  string      // in sentences that say that it cannot be: "killed"
	Needs []sim.Power // what it must be possible to do to the service; else the story is not judged
	Half  bool        // it is half of a pair: it mends nothing, or what the other half broke

	// Run breaks the service, mends it when the fault's time is over or ctx ends, and returns when it is
	// mended or cannot be. Its error is Myriad's own.
	Run func(ctx context.Context, s *Scene) error

	// Of devices.
	Off bool // they are off after it, until they come back

	// Do does it to one device, at the instant at which it was meant to be. It must not wait. Nil: nothing is
	// done to the device itself.
	Do func(d Device, at sim.Instant)
	// Link says what the links of the devices are like for the fault's time. Nil: as before.
	Link func(f *sim.Fault) sim.Conditions
	// Spells are the parts of the fault's time in which the links are like that. Nil: it is all of it.
	Spells func(f *sim.Fault) []Spell
	// Stays: they are like that from then on, instead of what they were like, until another such fault.
	Stays bool
}

// Spell is a part of a fault's time, counted from its beginning.
type Spell struct{ From, To time.Duration }

// Device is a device that something is done to, at an instant.
type Device interface {
	// LosePower stops it. What it returns gives it its power back, at a later instant or the same: it is on,
	// and meant to be connected, as it was before.
	LosePower(at sim.Instant) (restore func(at sim.Instant))
	ChangeAddress(at sim.Instant)
	// Reset ends its TCP connection by a reset to both ends.
	Reset(at sim.Instant)
}

// Kinds lists all faults. A new one is a line here.
func Kinds() []Kind {
	return []Kind{restart(), kill(), freeze(), stutter(), squeeze(), limitMemory(), fill(), fail(), backUp(), restore(), isolate(), lose(), rejoin(), powerLoss(), reboot(), newAddress(), cut(), poor(), flap(), move(), reset()}
}

// Of returns the kind of an act's fault, nil if the act is no fault.
func Of(a *sim.Act) *Kind {
	if a.Kind != sim.ActFault || a.Fault == nil {
		return nil
	}
	k, ok := Find(a.Fault.Verb)
	if !ok {
		return nil
	}
	return &k
}

// OfDevices reports whether the fault is one of devices, not of a service.
func (k *Kind) OfDevices() bool { return k != nil && k.Run == nil }

// Find returns the kind with a verb.
func Find(verb string) (Kind, bool) {
	for _, k := range Kinds() {
		if k.Verb == verb {
			return k, true
		}
	}
	return Kind{}, false
}

// Scene is one fault under way.
type Scene struct {
	Fault  *sim.Fault
	Handle sim.Handle // of the service
	Began  time.Time

	// Note tells what has become of the service, as in "is down".
	Note func(kind ledger.EventKind, became string)
}

// last waits until the fault's time is over, counted from its beginning, or ctx ends.
func (s *Scene) last(ctx context.Context) { s.until(ctx, s.Fault.For.D()) }

// until waits until some time after the fault's beginning. It returns false if ctx ended before.
func (s *Scene) until(ctx context.Context, after time.Duration) bool {
	wait := time.NewTimer(time.Until(s.Began.Add(after)))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// downAndUp ends the service, lets it be down for the fault's time, and starts it again.
func (s *Scene) downAndUp(ctx context.Context, kill bool) error {
	return s.downUntil(ctx, kill, func(context.Context) error { return nil })
}

// downUntil is downAndUp for a fault that does something to the service while it is down. What fails then does not keep it
// from coming up.
func (s *Scene) downUntil(ctx context.Context, kill bool, meanwhile func(context.Context) error) error {
	whole := context.WithoutCancel(ctx)
	if err := s.Handle.Down(whole, kill); err != nil {
		return err
	}
	s.Note(ledger.EventServiceDown, "is down")
	failed := meanwhile(whole)
	s.last(ctx)
	if err := errors.Join(failed, s.Handle.Up(whole)); err != nil {
		return err
	}
	s.Note(ledger.EventServiceUp, "is up again")
	return nil
}
