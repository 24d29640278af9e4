package render

import (
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Running is a run that is not over, for those who watch it.
type Running struct {
	Info reports.Info
	Over int // stories that are
	Now  *Progress
}

// Progress is the story under way.
type Progress struct {
	Plan      *sim.Plan
	Phase     string        // "" outside of all
	Elapsed   time.Duration // since T0
	Connected []int64       // devices of each fleet that are
	Fold      *reports.Fold // what was folded so far; nobody may add to it meanwhile
}

// RunningMetrics writes the figures so far in Prometheus' text format 0.0.4. What [Metrics] writes at the end has the same name
// here, and grows to what it says there; what is known at the end only, such as what was lost, is left out.
func RunningMetrics(w io.Writer, r *Running) error {
	e := &exposition{}
	e.info(&r.Info)
	e.counter("run_stories_over_total", "Stories of the run that are over.", uint64(r.Over))
	if p := r.Now; p != nil {
		e.progress(label(or(p.Plan.Story.Name, "story")), p)
	}
	return e.write(w)
}

func (e *exposition) progress(story string, p *Progress) {
	e.gauge("story_elapsed_seconds", "How long the story under way has run.", max(0, p.Elapsed.Seconds()), "story", story)
	e.gauge("story_planned_seconds", "How long it takes if everything that it waits for takes all its time.", p.Plan.Duration().D().Seconds(), "story", story)
	if p.Phase != "" {
		e.gauge("story_phase", "1 for the phase under way.", 1, "story", story, "phase", label(p.Phase))
	}
	sums := p.Fold.Sums()
	names := distinct(len(p.Plan.Fleets), func(i int) (string, string) { return p.Plan.Fleets[i].Name, "" })
	for i := range p.Plan.Fleets {
		f := &p.Plan.Fleets[i]
		l := labels{"story", story, "fleet", names[i]}
		e.gauge("fleet_devices", devicesHelp, float64(f.Count), l...)
		if i < len(p.Connected) {
			e.gauge("fleet_connected_devices", "Devices connected now.", float64(p.Connected[i]), l...)
		}
		e.counter("connect_attempts_total", "Connections that devices began to open.", sums[i].Counted[sim.CountAttempt], l...)
		for _, c := range ledger.Columns() {
			if n, known := countedAs(c.Name, &sums[i], f); known {
				e.counter("messages_"+c.Name+"_total", capital(c.Means)+".", n, l...)
			}
		}
		for op := range sim.NumOps {
			e.soFar(p.Fold, story, names[i], i, op)
		}
	}
	for _, s := range p.Fold.Errors() {
		e.counter("errors_total", errorsHelp, s.Count, "story", story, "op", label(s.Op.String()), "class", label(s.Outcome.Class()))
	}
}

// countedAs is a column of the account, if that is counted while devices do it.
func countedAs(column string, s *reports.Sum, f *sim.Fleet) (n uint64, known bool) {
	switch column {
	case "due":
		return s.Counted[sim.CountDue], true
	case "sent":
		return s.Counted[sim.CountSent], true
	case "resent":
		return s.Counted[sim.CountResent], true
	case "dropped":
		return s.Counted[sim.CountDropped], true
	case "acknowledged":
		return s.Succeeded[sim.OpPublish], f.Data().QoS > 0 // at QoS 0 nobody acknowledges
	}
	return 0, false
}

// soFar are a fleet's histograms of an operation.
func (e *exposition) soFar(f *reports.Fold, story, fleet string, i int, op sim.Op) {
	for measure, name := range map[ledger.Measure]string{ledger.Response: "response", ledger.Service: "service", ledger.Lag: "lag"} {
		counts := f.Between(0, reports.Forever, op, measure, i)
		if len(counts) == 0 {
			continue
		}
		b := &buckets{}
		for i, n := range counts {
			lo, hi := hist.Fine().Bounds(i)
			b.put(lo, hi, n)
		}
		e.histogram("myriad_"+name+"_seconds", durationHelp(name)+wholeRun, b, labels{"story", story, "op", label(op.String()), "fleet", fleet})
	}
}

func (e *exposition) histogram(name, help string, b *buckets, l labels) {
	upTo := map[float64]uint64{}
	for i, le := range bounds() {
		upTo[float64(le)/1e6] = b.upTo[i]
	}
	names, values := l.split()
	e.metrics = append(e.metrics, prometheus.MustNewConstHistogram(prometheus.NewDesc(name, help, names, nil), b.count, float64(b.micros)/1e6, upTo, values...))
}

// info is what was run.
func (e *exposition) info(info *reports.Info) {
	e.gauge("run_info", "What was run: version, seed and scale.", 1, "version", info.Version,
		"seed", strconv.FormatUint(info.Seed, 10), "scale", strconv.FormatFloat(info.Scale, 'g', -1, 64))
	if !info.Started.IsZero() {
		e.gauge("run_start_time_seconds", "When the run started, in seconds since 1970.", float64(info.Started.UnixMilli())/1e3)
	}
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
