package rehearsal

import (
	"fmt"
	"log/slog"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// wasInterrupted is why a run that was told to end is aborted; what told it may follow.
const wasInterrupted = "the run was interrupted"

// storyLog is where the course of a story is told, and tells that it begins. to may be nil.
func storyLog(to *slog.Logger, p *sim.Plan) *slog.Logger {
	if to == nil {
		return slog.New(slog.DiscardHandler)
	}
	log := to.With("story", fmt.Sprintf("%s:%d", p.Story.URI, p.Story.Line))
	log.Info("the story begins", "name", p.Story.Name, "devices", p.Devices(), "takes", p.Duration().D().String(), "seed", p.Seed, "plan", p.Hash())
	return log
}

func logEvent(log *slog.Logger, e *ledger.Event) {
	log.Info(e.Text, "at", e.At.String(), "kind", e.Kind)
}

// logResult tells what was judged, and that the story is over.
func logResult(log *slog.Logger, r *reports.Result) {
	for i := range r.Findings {
		f := &r.Findings[i]
		log.Info(f.Check.Text, "verdict", f.Verdict, "value", f.Value, "limit", f.Limit, "unit", f.Unit, "n", f.N, "origin", f.Check.Origin, "note", f.Note)
	}
	log.Info("the story is over", "verdict", r.Verdict, "reasons", r.Reasons)
}
