package render

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// chart is a drawing with its title and legend.
type chart struct {
	Title  string
	Note   string
	Legend []legend
	SVG    template.HTML // made by svg.go, which escapes every text
}

type legend struct{ Class, Name string }

// charts draws a story's series: rates, connections, and latency per operation and fleet.
func charts(r *reports.Result) []chart {
	if len(r.Frames) == 0 {
		return nil
	}
	t := timelineOf(r)
	list := []chart{t.rates(r), t.connected(r)}
	if c, ok := t.dropped(r); ok {
		list = append(list, c)
	}
	if c, ok := t.traffic(r); ok {
		list = append(list, c)
	}
	list = append(list, t.usage(r)...)
	list = append(list, t.told(r)...)
	for op := range sim.NumOps {
		for _, fleet := range fleetsIn(r) {
			if c, ok := t.latency(r, op, fleet); ok {
				list = append(list, c)
			}
		}
	}
	return list
}

// timeline is what the charts of a story share.
type timeline struct {
	end     float64
	bands   []band
	moments []moment
}

func timelineOf(r *reports.Result) *timeline {
	t := &timeline{end: r.Length.Seconds()}
	for i := range r.Frames {
		t.end = math.Max(t.end, float64(r.Frames[i].Second+1))
	}
	if r.Plan != nil && r.Plan.WarmUp > 0 {
		t.bands = append(t.bands, band{name: "warm-up", to: r.Plan.WarmUp.D().Seconds(), warm: true})
	}
	for _, p := range r.Phases {
		t.bands = append(t.bands, band{name: p.Name, from: p.Start.Seconds(), to: p.End.Seconds()})
	}
	slices.SortStableFunc(t.bands, func(a, b band) int { return cmp.Compare(a.from, b.from) })
	for i, e := range numbered(r) {
		t.moments = append(t.moments, moment{
			at: e.At.Seconds(), number: i + 1, class: eventClass(e.Kind), title: clock(e.At) + " " + plain(e.Text),
		})
	}
	return t
}

// numbered are the events that charts mark, in order. Phase edges are the bands.
func numbered(r *reports.Result) []ledger.Event {
	list := slices.Clone(r.Events)
	list = slices.DeleteFunc(list, func(e ledger.Event) bool {
		return e.Kind == ledger.Begun(sim.ActPhaseStart) || e.Kind == ledger.Begun(sim.ActPhaseRun) ||
			e.Kind == ledger.Begun(sim.ActPhaseEnd)
	})
	slices.SortStableFunc(list, func(a, b ledger.Event) int { return cmp.Compare(a.At, b.At) })
	return list
}

func eventClass(kind ledger.EventKind) string {
	switch kind {
	case ledger.Begun(sim.ActFault), ledger.Begun(sim.ActOffline),
		ledger.EventInterrupted, ledger.EventServiceDown, ledger.EventServiceFrozen, ledger.EventServiceLimited:
		return "fault"
	case ledger.Begun(sim.ActComeBack), ledger.EventServiceUp, ledger.EventServiceThawed, ledger.EventServiceFree:
		return "heal"
	case ledger.EventFaultFailed, ledger.EventCommandFailed,
		ledger.EventStoppedEarly, ledger.EventTimelineEnd, ledger.EventProbeLost, ledger.EventProbeAway, ledger.EventProbeBack, ledger.EventProbeStalled, ledger.EventSnapshotLost,
		ledger.EventWorkerLost, ledger.EventTakenOver:
	}
	return "act"
}

func fleetsIn(r *reports.Result) []string {
	var list []string
	for i := range r.Frames {
		if f := r.Frames[i].Fleet; !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	return list
}

func (t *timeline) begin(label string, y axis, tick func(float64) string) *plot {
	p := newPlot(label, t.end, y)
	p.bands(t.bands)
	p.axes(tick)
	return p
}

// lined is a chart with a line for each entry of its legend.
func (t *timeline) lined(c chart, lines [][]point, tick func(float64) string) chart {
	top := 0.0
	for _, l := range lines {
		top = math.Max(top, highest(l))
	}
	from, to := yRange()
	p := t.begin(c.Title, countAxis(top, from, to), tick)
	for i, l := range lines {
		p.line(c.Legend[i].Class, l)
	}
	p.marks(t.moments)
	c.SVG = template.HTML(p.done())
	return c
}

// held is a line that stays as it is until the next point, and to the end.
func held(points []point, end float64) (list []point) {
	for i, p := range points {
		p.x = math.Min(math.Max(p.x, 0), end)
		if i > 0 {
			list = append(list, point{p.x, points[i-1].y})
		}
		list = append(list, p)
	}
	if n := len(points); n > 0 {
		list = append(list, point{end, points[n-1].y})
	}
	return list
}

// rates is what happened per second, over all fleets.
func (t *timeline) rates(r *reports.Result) chart {
	series := []struct {
		name string
		of   func(*reports.Frame) uint64
		keep bool
	}{
		{"due", func(f *reports.Frame) uint64 { return f.Due }, true},
		{"sent", func(f *reports.Frame) uint64 { return f.Sent }, true},
		{"acked", func(f *reports.Frame) uint64 { return f.Acked }, true},
		{"received", func(f *reports.Frame) uint64 { return f.Received }, true},
		{"stored", func(f *reports.Frame) uint64 { return f.Stored }, false},
		{"errors", func(f *reports.Frame) uint64 { return f.Errors }, false},
	}
	c := chart{Title: "Messages per second", Note: "all fleets"}
	var lines [][]point
	top := 0.0
	for _, s := range series {
		points := perSecond(r, func(f *reports.Frame) float64 { return float64(s.of(f)) })
		high := highest(points)
		if !s.keep && high == 0 {
			continue
		}
		top = math.Max(top, high)
		lines = append(lines, points)
		c.Legend = append(c.Legend, legend{"s-" + s.name, s.name})
	}
	from, to := yRange()
	p := t.begin(c.Title, countAxis(top, from, to), tickCount)
	for i, l := range lines {
		p.step(c.Legend[i].Class, l)
	}
	p.marks(t.moments)
	c.SVG = template.HTML(p.done())
	return c
}

// connected is the number of sessions at the end of each second, and the connection attempts in it.
func (t *timeline) connected(r *reports.Result) chart {
	c := chart{Title: "Connections", Legend: []legend{
		{"s-connected", "connected devices"}, {"s-attempts", "connection attempts per second"},
	}}
	up := perSecond(r, func(f *reports.Frame) float64 { return float64(f.Connected) })
	attempts := perSecond(r, func(f *reports.Frame) float64 { return float64(f.Attempts) })
	for i := range up {
		up[i].x++ // it is the value at the second's end
	}
	from, to := yRange()
	p := t.begin(c.Title, countAxis(math.Max(highest(up), highest(attempts)), from, to), tickCount)
	p.step("s-attempts", attempts)
	p.line("s-connected", up)
	p.marks(t.moments)
	c.SVG = template.HTML(p.done())
	return c
}

// latency is the response time of one operation of one fleet. Fleets are drawn apart, because
// percentiles of several cannot be merged into one.
func (t *timeline) latency(r *reports.Result, op sim.Op, fleet string) (chart, bool) {
	name := op.String()
	c := chart{
		Title: "Response time: " + name, Note: "fleet " + fleet + ", by the second in which it was due",
		Legend: []legend{{"s-p50", "p50"}, {"s-p99", "p99"}, {"s-max", "max"}},
	}
	var p50, p99, top []point
	low, high := math.Inf(1), 0.0
	next, unanswered := -1, false
	for i := range r.Frames {
		f := &r.Frames[i]
		if f.Fleet != fleet {
			continue
		}
		q := f.Latency[name]
		if next >= 0 && f.Second > next || q.Due() == 0 {
			gap := point{float64(f.Second), math.NaN()}
			p50, p99, top = append(p50, gap), append(p99, gap), append(top, gap)
		}
		next = f.Second + 1
		if q.Due() == 0 {
			continue
		}
		x := float64(f.Second) + 0.5
		p50, p99, top = append(p50, point{x, q.P50}), append(p99, point{x, q.P99}), append(top, point{x, q.Max})
		if q.P50 > 0 && finite(q.P50) {
			low = math.Min(low, q.P50)
		}
		for _, v := range []float64{q.P50, q.P99, q.Max} {
			if finite(v) {
				high = math.Max(high, v)
			}
		}
		unanswered = unanswered || q.Unanswered > 0
	}
	if high == 0 && math.IsInf(low, 1) && !slices.ContainsFunc(top, func(p point) bool { return !math.IsNaN(p.y) }) {
		return c, false
	}
	limits := limitsOf(r, op)
	for _, l := range limits {
		low, high = math.Min(low, l.limit), math.Max(high, l.limit)
	}
	from, to := yRange()
	y := durationAxis(low, high, from, to)
	if y.log {
		c.Note += "; logarithmic"
	}
	if unanswered {
		c.Note += "; what was never answered is at the upper edge"
	}
	p := t.begin(c.Title+", "+c.Note, y, tickDuration)
	p.marks(t.moments)
	p.limits(limits)
	p.line("s-max", top) // over all else: no mark and no name hides a figure
	p.line("s-p99", p99)
	p.line("s-p50", p50)
	c.SVG = template.HTML(p.done())
	return c, true
}

type limit struct {
	limit float64
	name  string
}

// limitsOf are the limits that the story's claims set for an operation's latency.
func limitsOf(r *reports.Result, op sim.Op) []limit {
	var list []limit
	for i := range r.Findings {
		c := checkOf(&r.Findings[i])
		if c.Kind != sim.CheckLatency || c.Metric != op || c.Limit <= 0 {
			continue
		}
		l := limit{c.Limit, quantileName(c.Quantile) + " " + boundSign(c.Bound) + Seconds(c.Limit)}
		if !slices.Contains(list, l) {
			list = append(list, l)
		}
	}
	slices.SortStableFunc(list, func(a, b limit) int { return cmp.Compare(b.limit, a.limit) })
	return list
}

func quantileName(q float64) string {
	switch q {
	case sim.QuantileMax:
		return "max"
	case sim.QuantileMean:
		return "mean"
	}
	return fmt.Sprintf("p%s", number(q*100, 6))
}

// perSecond sums a figure over the fleets; a second without any frame is a gap.
func perSecond(r *reports.Result, of func(*reports.Frame) float64) []point {
	var points []point
	for i := range r.Frames {
		f := &r.Frames[i]
		n := len(points)
		if n > 0 && points[n-1].x == float64(f.Second) {
			points[n-1].y += of(f)
			continue
		}
		if n > 0 && points[n-1].x+1 < float64(f.Second) {
			points = append(points, point{points[n-1].x + 1, math.NaN()})
		}
		points = append(points, point{float64(f.Second), of(f)})
	}
	return points
}

func highest(points []point) float64 {
	top := 0.0
	for _, p := range points {
		if p.y > top {
			top = p.y
		}
	}
	return top
}
