package sim

import "context"

// Target is the system under test. Start brings it up and returns when it is really ready;
// a [NotHealthy] error means that it never was. Stop removes everything that Start made.
type Target interface {
	Start(ctx context.Context) (Endpoints, error)
	Stop(ctx context.Context) error
	Describe() map[string]string // image, digest, version, address: for run.json
}

// Breakable targets lend handles to break their services on purpose.
type Breakable interface {
	// Handle returns the handle of "broker" or "coap", or an error that says which there are.
	Handle(service string) (Handle, error)
}

// Handle breaks one service. The service keeps its address through all of it.
type Handle interface {
	Down(ctx context.Context, kill bool) error // kill: SIGKILL, nothing is flushed; else an orderly stop
	Up(ctx context.Context) error              // starts it again; returns when it is ready
	Freeze(ctx context.Context, on bool) error // SIGSTOP, SIGCONT
}

// Journaled targets tell what their backend stores, as it stores it and before it acknowledges.
// Journal must be called before Start.
type Journaled interface{ Journal(w Witness, c Clock) }

// Clock turns the present moment into the run's time. It is a value of its own because targets
// and probes start before T0 is set.
type Clock interface{ Now() Instant }

// NotHealthy is the error of a target that could not be brought up or reached (exit code 3).
type NotHealthy struct {
	Target string
	Err    error
}

// Error implements error.
func (e *NotHealthy) Error() string { return e.Target + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *NotHealthy) Unwrap() error { return e.Err }
