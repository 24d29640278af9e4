package render

import (
	"io"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Metrics writes metrics.prom: the run's figures in Prometheus' text format 0.0.4, without times,
// as the textfile collector of node_exporter wants them and GitLab's metrics report reads them. A
// figure that is not known is left out: it is not 0.
func Metrics(w io.Writer, d *Document) error {
	e := &exposition{}
	e.run(d.Run)
	names := distinct(len(d.Run.Stories), func(i int) (string, string) {
		s := storyOf(d.Run.Stories[i])
		return or(s.Name, "story"), s.URI + ":" + strconv.Itoa(s.Line)
	})
	for i, r := range d.Run.Stories {
		e.story(names[i], r)
		e.fleets(names[i], r)
		e.commands(names[i], r)
		e.journeys(names[i], r)
		e.thens(names[i], r)
		e.errors(names[i], r)
		e.durations(names[i], r)
	}
	return e.write(w)
}

// write writes all in the text format, by name and labels.
func (e *exposition) write(w io.Writer) error {
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(e); err != nil {
		return err
	}
	families, err := reg.Gather() // sorted
	if err != nil {
		return err
	}
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(w, f); err != nil {
			return err
		}
	}
	return nil
}

// exposition is what one gathering sends. All of it is constant.
type exposition struct{ metrics []prometheus.Metric }

// Describe implements prometheus.Collector.
func (e *exposition) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(e, ch) }

// Collect implements prometheus.Collector.
func (e *exposition) Collect(ch chan<- prometheus.Metric) {
	for _, m := range e.metrics {
		ch <- m
	}
}

// Texts of what is also written while a run goes on: a name has one.
const (
	devicesHelp = "Devices of the fleet."
	errorsHelp  = "Errors by operation and class."
	wholeRun    = " In the whole run."
)

// labels alternates names and values.
type labels []string

func (l labels) split() (names, values []string) {
	for i := 0; i < len(l); i += 2 {
		names, values = append(names, l[i]), append(values, label(l[i+1]))
	}
	return names, values
}

func (e *exposition) add(t prometheus.ValueType, name, help string, v float64, l labels) {
	names, values := l.split()
	desc := prometheus.NewDesc("myriad_"+name, help, names, nil)
	e.metrics = append(e.metrics, prometheus.MustNewConstMetric(desc, t, v, values...))
}

func (e *exposition) gauge(name, help string, v float64, l ...string) {
	e.add(prometheus.GaugeValue, name, help, v, l)
}

func (e *exposition) counter(name, help string, n uint64, l ...string) {
	e.add(prometheus.CounterValue, name, help, float64(n), l)
}

// verdict is a row for each possible verdict, so that every run has the same rows.
func (e *exposition) verdict(name, of string, v reports.Verdict, l ...string) {
	for _, each := range reports.Verdicts() {
		is := 0.0
		if each == v {
			is = 1
		}
		e.gauge(name, "1 for the verdict on the "+of+", 0 for the others.", is, append(l, "verdict", string(each))...)
	}
}

func (e *exposition) run(run *reports.Run) {
	e.info(&run.Info)
	e.verdict("run_verdict", "whole run", run.Verdict())
	if run.Info.Started.IsZero() {
		return
	}
	e.gauge("run_duration_seconds", "Wall-clock time of the whole run.", run.Info.Ended.Sub(run.Info.Started).Seconds())
}

func (e *exposition) story(name string, r *reports.Result) {
	e.verdict("story_verdict", "story", r.Verdict, "story", name)
	e.gauge("story_duration_seconds", "Length of the story.", r.Length.Seconds(), "story", name)
}

// fleets is the ledger. There is no row for all fleets, so that sums are right.
func (e *exposition) fleets(story string, r *reports.Result) {
	names := distinct(len(r.Fleets), func(i int) (string, string) { return r.Fleets[i].Name, "" })
	for i, f := range r.Fleets {
		l := labels{"story", story, "fleet", names[i]}
		e.gauge("fleet_devices", devicesHelp, float64(f.Devices), l...)
		e.gauge("fleet_connected_peak_devices", "Devices connected at once, at most.", float64(f.ConnectedPeak), l...)
		sent, received := bytesOf(r, f.Name)
		if sent+received > 0 && counts(r, i) { // else nobody counted
			e.counter("bytes_sent_total", "Payload of TCP and UDP that devices sent.", sent, l...)
			e.counter("bytes_received_total", "Payload of TCP and UDP that devices received.", received, l...)
		}
		for _, c := range ledger.Columns() {
			if c.Far && f.Unobserved != "" {
				continue
			}
			if what, qos, ok := strings.Cut(c.Name, " at QoS "); ok {
				name := "messages_" + strings.ReplaceAll(what, " ", "_") + "_by_qos_total"
				e.counter(name, "The part of "+what+" that was sent with each QoS.", c.Of(&f.Messages), append(l[:len(l):len(l)], "qos", qos)...)
				continue
			}
			name := "messages_" + strings.ToLower(strings.ReplaceAll(c.Name, " ", "_")) + "_total"
			e.counter(name, capital(c.Means)+".", c.Of(&f.Messages), l...)
		}
	}
}

// thens is each judged sentence with its figures, in the unit that summary.json says.
func (e *exposition) thens(story string, r *reports.Result) {
	names := distinct(len(r.Findings), func(i int) (string, string) {
		c := checkOf(&r.Findings[i])
		return c.Text, c.Origin
	})
	for i := range r.Findings {
		f := &r.Findings[i]
		l := labels{"story", story, "then", names[i]}
		e.verdict("then_verdict", "sentence", f.Verdict, l...)
		e.gauge("then_samples", "Samples, messages or devices behind the sentence's value.", float64(f.N), l...)
		if !f.Judged() || !finite(f.Value) {
			continue
		}
		l = append(l, "unit", f.Unit)
		for _, figure := range []struct {
			name, help string
			v          float64
		}{
			{"then_value", "What was found, in the unit that the label says.", f.Value},
			{"then_limit", "What the sentence allows.", f.Limit},
			{"then_margin", "How far the value is on the good side of the limit.", f.Margin},
		} {
			if finite(figure.v) {
				e.gauge(figure.name, figure.help, figure.v, l...)
			}
		}
	}
}

func (e *exposition) errors(story string, r *reports.Result) {
	type key struct{ op, class string }
	sums := map[key]uint64{}
	for _, c := range r.Errors {
		sums[key{label(c.Op), label(c.Class)}] += c.Count
	}
	for k, n := range sums {
		e.counter("errors_total", errorsHelp, n, "story", story, "op", k.op, "class", k.class)
	}
}

// label is text of unknown origin as a label's value. GitLab takes a # for the start of a comment,
// in a quoted value too.
func label(s string) string { return strings.ReplaceAll(plain(s), "#", "＃") }

// distinct gives each of n things a label that no other has: its name, with its place if several have that
// name, and with a number if they still are the same.
func distinct(n int, of func(int) (name, place string)) []string {
	list, count, taken := make([]string, n), map[string]int{}, map[string]bool{}
	for i := range n {
		name, _ := of(i)
		count[label(name)]++
	}
	for i := range n {
		name, place := of(i)
		name = label(name)
		if count[name] > 1 && place != "" {
			name += " (" + label(place) + ")"
		}
		list[i] = name
		for k := 2; taken[list[i]]; k++ {
			list[i] = name + " [" + strconv.Itoa(k) + "]"
		}
		taken[list[i]] = true
	}
	return list
}
