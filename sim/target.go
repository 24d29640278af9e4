package sim

import (
	"context"
	"fmt"
	"strings"
)

// Target is the system under test. Start brings it up and returns when it is really ready;
// a [NotHealthy] error means that it never was, a
// [Lacks] error that it cannot do what it is wanted for. Stop removes everything that Start made.
type Target interface {
	Start(ctx context.Context) (Endpoints, error)
	Stop(ctx context.Context) error
	Describe() map[string]string // image, digest, version, address: for run.json
}

// Breakable targets lend handles to break their services on purpose.
type Breakable interface {
	// Handle returns the handle of the service with that name, or an error that says which there are.
	Handle(service string) (Handle, error)
}

// Handle breaks one service. The service keeps its address through all of it.
type Handle interface {
	Down(ctx context.Context, kill bool) error // kill: SIGKILL, nothing is flushed; else an orderly stop
	Up(ctx context.Context) error              // starts it again; returns when it is ready
	Freeze(ctx context.Context, on bool) error // SIGSTOP, SIGCONT
}

// Limitable handles can also take CPU and memory away from their service.
type Limitable interface {
	// Limit lets the service have so many processors at most, above 0; 0 is as many as it had at first.
	Limit(ctx context.Context, processors float64) error
	// LimitMemory lets the service have so many bytes of memory at most, above 0; 0 is as many as it had at first. What
	// needs more is ended by the kernel: then giving them back is a [ServiceEnded].
	LimitMemory(ctx context.Context, bytes int64) error
}

// Fillable handles can also leave their service no room on its disk.
type Fillable interface {
	// Fill takes all the room that is left, or gives it back. It is an error if the disk has no limit of its own, and
	// a [ServiceEnded] if the service has ended meanwhile.
	Fill(ctx context.Context, full bool) error
}

// Savable handles can also keep the data of their service, and give it them again.
type Savable interface {
	// Save keeps the data as they are now under a name, while the service goes on. It is a [ServiceEnded] if that has ended.
	Save(ctx context.Context, name string) error
	// Restore gives the service the data that were kept under a name instead of its own. The service must be down.
	Restore(ctx context.Context, name string) error
}

// Failable handles can also let their service answer every question with an error.
type Failable interface {
	// Fail lets the service answer with errors, or as before. It returns when the service does so.
	Fail(ctx context.Context, on bool) error
}

// Cuttable handles can also take the network away from their service.
type Cuttable interface {
	// Cut takes the network away, so that no packet passes and neither side is told, or gives it back with the same
	// address.
	Cut(ctx context.Context, off bool) error
}

// ServiceEnded is the error of something that was to be done to a service which had ended by itself.
type ServiceEnded struct{ Why string }

func (e *ServiceEnded) Error() string { return "it has ended by itself: " + e.Why }

// Metered targets tell what their services use of this machine.
type Metered interface {
	// Meter tells what a service uses, about once a second, until ctx ends or nothing more is known, and blocks
	// meanwhile; told is called from the goroutine of the call. The error says why nothing is known.
	Meter(ctx context.Context, service string, told func(Use)) error
}

// Telling targets have services that tell figures of themselves, such as how many clients they hold.
type Telling interface {
	// Tell asks a service once for its figures and calls told for each, from the goroutine of the call, in the order
	// of their names. It blocks for at most a few seconds. The error says why nothing is known now, as while the service
	// is down.
	Tell(ctx context.Context, service string, told func(name string, value float64)) error
}

// Use is what a service uses of its machine.
type Use struct {
	CPU    Duration // of all its processors together, since it was started
	Memory int64    // bytes that it holds, without pages of files; of a container with the kernel's own for it, as of sockets
}

// Journaled targets tell what their backend stores, as it stores it and before it acknowledges.
// Journal must be called before Start.
type Journaled interface{ Journal(w Witness, c Clock) }

// Clock tells the present instant of the run. Targets and probes get a Clock and not T0, because they start
// before T0 is set.
type Clock interface{ Now() Instant }

// Lacks is the error of a target that runs and cannot do what the story needs, as is known only when
// it starts. It makes the story not judged: neither the target nor Myriad is to blame.
type Lacks struct {
	Target string
	What   string // "ws://: the image was built without it"
}

// Error implements error.
func (e *Lacks) Error() string {
	return fmt.Sprintf("the target %q does not have %s", e.Target, e.What)
}

// TooMuch is the error of a run that asks for more than this machine carries, as was measured before anything of
// it was sent. It makes the story invalid: Myriad would be the limit.
type TooMuch struct{ Why string }

// Error implements error.
func (e *TooMuch) Error() string { return e.Why }

// NotHealthy is the error of a target that could not be brought up or reached (exit code 3).
type NotHealthy struct {
	Target string
	Err    error
}

// Error implements error. It names the target once.
func (e *NotHealthy) Error() string {
	if text := e.Err.Error(); strings.Contains(text, e.Target) {
		return text
	}
	return e.Target + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *NotHealthy) Unwrap() error { return e.Err }
