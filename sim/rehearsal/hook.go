package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/probe"
)

const (
	hooking = 2 * time.Minute // that the user's command may take for one thing
	backIn  = 2 * time.Minute // that a service may take to answer after the command has started it
	quoted  = 300             // bytes of what the command printed that an error has
)

// hooked is a target of the user's that the user's own command breaks and mends.
type hooked struct {
	external
	log *slog.Logger
}

// Handle implements sim.Breakable.
func (h hooked) Handle(service string) (sim.Handle, error) {
	s := targets.Named(&h.plan.Target, service)
	if s == nil {
		return nil, fmt.Errorf("the target has no service %q", service)
	}
	at := make(sim.Endpoints)
	for _, scheme := range s.Schemes {
		at[scheme] = h.plan.Target.Endpoints[scheme]
	}
	return &hook{command: h.plan.Target.Hook, service: service, log: h.log, ready: func(ctx context.Context) error {
		return probe.Check(ctx, h.plan, at)
	}}, nil
}

// hook is a service of the user's. It implements sim.Handle: the command is run by sh with two words more, what to do
// and the service's name, and has done it when it ends with status 0.
type hook struct {
	command, service string
	log              *slog.Logger
	ready            func(context.Context) error // whether the service answers
}

// Down implements sim.Handle.
func (h *hook) Down(ctx context.Context, kill bool) error {
	if kill {
		return h.run(ctx, "kill")
	}
	return h.run(ctx, "stop")
}

// Up implements sim.Handle. It returns when the service answers as it did before the run.
func (h *hook) Up(ctx context.Context) error {
	if err := h.run(ctx, "start"); err != nil {
		return err
	}
	return h.answers(ctx)
}

// answers waits until the service does.
func (h *hook) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, backIn)
	defer cancel()
	for {
		err := h.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("--hook started %q, and it does not answer within %v: %w", h.service, backIn, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Freeze implements sim.Handle.
func (h *hook) Freeze(ctx context.Context, on bool) error {
	if on {
		return h.run(ctx, "freeze")
	}
	return h.run(ctx, "thaw")
}

// run has the command do something, and waits until it has.
func (h *hook) run(ctx context.Context, verb string) error {
	ctx, cancel := context.WithTimeout(ctx, hooking)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", "-c", h.command+` "$@"`, "sh", verb, h.service)
	c.WaitDelay = time.Second // what it left running may hold its output
	out, err := c.CombinedOutput()
	said := strings.TrimSpace(string(out[:min(len(out), quoted)]))
	h.log.Debug("hook", "verb", verb, "service", h.service, "output", said, "error", err)
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // the command ended well, and something that it started goes on
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("it took longer than %v", hooking)
	}
	if said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return fmt.Errorf("--hook could not %s %q: %w", verb, h.service, err)
}
