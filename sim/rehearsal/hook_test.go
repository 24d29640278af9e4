package rehearsal

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// The user's command is told what to do and with what, also behind arguments of its own; what it could not do is an
// error with what it said, cut short.
func TestHook(t *testing.T) {
	did := filepath.Join(t.TempDir(), "did")
	h := &hook{command: "echo >>" + did + " it", service: "the broker", log: slog.New(slog.DiscardHandler), ready: func(context.Context) error { return nil }}
	for _, do := range []func() error{
		func() error { return h.Down(t.Context(), true) }, func() error { return h.Down(t.Context(), false) },
		func() error { return h.Up(t.Context()) },
		func() error { return h.Freeze(t.Context(), true) }, func() error { return h.Freeze(t.Context(), false) },
	} {
		if err := do(); err != nil {
			t.Error(err)
		}
	}
	b, err := os.ReadFile(did)
	if want := "it kill the broker\nit stop the broker\nit start the broker\nit freeze the broker\nit thaw the broker\n"; err != nil || string(b) != want {
		t.Errorf("%q, %v", b, err)
	}

	h.command = "yes no | head -c 5000; false"
	if err := h.Down(t.Context(), true); err == nil || !strings.HasPrefix(err.Error(), `--hook could not kill "the broker": exit status 1: no`) || len(err.Error()) > 400 {
		t.Errorf("%v", err)
	}
	begun := time.Now()
	h.command = "sleep 20 & true"
	if err := h.Up(t.Context()); err != nil || time.Since(begun) > 10*time.Second {
		t.Errorf("what it started goes on: %v after %v", err, time.Since(begun))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	h.command = "sleep 20"
	if err := h.Freeze(ctx, true); err == nil || time.Since(begun) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

// A service is up when it answers, not when the command has started it.
func TestHookWaitsForTheService(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		began := time.Now()
		answers := errors.New("refused")
		h := &hook{service: "broker", log: slog.New(slog.DiscardHandler), ready: func(context.Context) error {
			if time.Since(began) < 5*time.Second {
				return answers
			}
			return nil
		}}
		if err := h.answers(t.Context()); err != nil || time.Since(began) < 5*time.Second || time.Since(began) > 6*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		h.ready = func(context.Context) error { return answers }
		if err := h.answers(t.Context()); !errors.Is(err, answers) || !strings.Contains(err.Error(), `--hook started "broker", and it does not answer within 2m`) {
			t.Errorf("%v", err)
		}
	})
}
