package render

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

func metricsOf(t testing.TB, run *reports.Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := Metrics(&b, NewDocument(run)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// scrape reads an exposition as the textfile collector does, and returns its samples by name and
// sorted labels. Histograms are their counts, and their buckets with the label le.
func scrape(t *testing.T, text string) map[string]float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string]float64{}
	for name, f := range families {
		for _, m := range f.GetMetric() {
			if m.TimestampMs != nil {
				t.Errorf("%s has a time, which the textfile collector refuses", name)
			}
			key := name
			for _, l := range m.GetLabel() {
				key += " " + l.GetName() + "=" + l.GetValue()
			}
			put := func(key string, v float64) {
				if _, twice := samples[key]; twice {
					t.Errorf("%s is there twice", key)
				}
				samples[key] = v
			}
			if h := m.GetHistogram(); h != nil {
				put(key, float64(h.GetSampleCount()))
				for _, b := range h.GetBucket() {
					put(key+" le="+strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64), float64(b.GetCumulativeCount()))
				}
				continue
			}
			put(key, m.GetGauge().GetValue()+m.GetCounter().GetValue())
		}
	}
	return samples
}

func TestMetrics(t *testing.T) {
	text := metricsOf(t, sampleRun())
	golden(t, "metrics.prom", []byte(text))
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	got := scrape(t, text)
	const storm, quiet = " story=A broker dies under a thousand meters", " story=A quiet afternoon"
	for key, want := range map[string]float64{
		"myriad_run_verdict verdict=failed":                                                          1,
		"myriad_run_verdict verdict=passed":                                                          0,
		"myriad_run_start_time_seconds":                                                              1773480413.589,
		"myriad_run_duration_seconds":                                                                96,
		"myriad_story_verdict" + quiet + " verdict=passed":                                           1,
		"myriad_story_verdict" + quiet + " verdict=failed":                                           0,
		"myriad_story_duration_seconds" + storm:                                                      60,
		"myriad_fleet_devices fleet=rooms" + storm:                                                   200,
		"myriad_messages_lost_total fleet=meters" + storm:                                            3,
		"myriad_messages_lost_by_qos_total fleet=meters qos=1" + storm:                               3,
		"myriad_messages_stored_total fleet=rooms" + storm:                                           2400,
		"myriad_errors_total class=tcp connection refused op=connect" + storm:                        12431,
		"myriad_then_value" + storm + " then=no acknowledged message is lost" + u("messages"):        3,
		"myriad_then_margin" + storm + " then=no acknowledged message is lost" + u("messages"):       -3,
		"myriad_then_limit" + storm + " then=at least 99% of messages are delivered" + u("%"):        99,
		"myriad_then_samples" + storm + " then=no acknowledged message is lost":                      57900,
		"myriad_then_verdict" + storm + " then=p99.9 storage latency is below 1s verdict=not judged": 1,
		"myriad_response_seconds fleet= op=end-to-end" + storm:                                       46890,
		"myriad_response_seconds fleet= op=end-to-end" + storm + " le=0.002":                         0,
		"myriad_response_seconds fleet= op=end-to-end" + storm + " le=0.005":                         46890,
		"myriad_response_seconds fleet= op=publish" + storm + " le=0.001":                            14475,
		"myriad_response_seconds fleet= op=publish" + storm + " le=5":                                43425,
		"myriad_response_seconds fleet= op=publish" + storm + " le=+Inf":                             57900,
		"myriad_phase_response_seconds fleet=meters, north op=publish phase=out age%" + storm:        100,
		"myriad_lag_seconds fleet=meters op=publish" + storm:                                         55000,
	} {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s: %v (there: %v), want %v", key, v, ok, want)
		}
	}
	for key := range got {
		if strings.Contains(key, "then_value"+storm+" then=p99.9 storage") {
			t.Errorf("a sentence that was not judged has a figure: %s", key)
		}
		for _, id := range []string{"meters-7", "meters-12", "meters-1"} {
			if strings.Contains(key, id) {
				t.Errorf("a device is a label: %s", key)
			}
		}
	}
}

func u(unit string) string { return " unit=" + unit }

func TestMetricsLeaveOutWhatIsNotKnown(t *testing.T) {
	run := sampleRun()
	run.Stories[0].Fleets[1].Unobserved = "nobody subscribes"
	got := scrape(t, metricsOf(t, run))
	for _, c := range ledger.Columns() {
		name, qos := "myriad_messages_"+strings.ToLower(strings.ReplaceAll(c.Name, " ", "_"))+"_total", ""
		if what, n, ok := strings.Cut(c.Name, " at QoS "); ok {
			name, qos = "myriad_messages_"+what+"_by_qos_total", " qos="+n
		}
		_, blind := got[name+" fleet=rooms"+qos+" story=A broker dies under a thousand meters"]
		_, seen := got[name+" fleet=meters"+qos+" story=A broker dies under a thousand meters"]
		if blind == c.Far || !seen {
			t.Errorf("%s: %v without an observer, %v with one", name, blind, seen)
		}
	}
	if got := scrape(t, metricsOf(t, &reports.Run{})); got["myriad_run_verdict verdict=not judged"] != 1 || len(got) != 6 {
		t.Errorf("an empty run: %v", got)
	}
}

// TestMetricsTellNamesakesApart: the same label values twice would be refused.
func TestMetricsTellNamesakesApart(t *testing.T) {
	run := sampleRun()
	r := run.Stories[1]
	r.Fleets = append(r.Fleets, r.Fleets[0])
	r.Findings = append(r.Findings, r.Findings[0])
	r.Findings[1].Check = &sim.Check{Text: "no message arrives twice", Origin: "features/storm.feature:37"}
	r.Errors = []reports.ErrorClass{{Class: "dns", Op: "connect", Count: 2}, {Class: "dns", Op: "connect", Count: 3}}
	r.Hists = append(r.Hists, r.Hists[0])
	run.Stories = append(run.Stories, run.Stories[1])
	got := scrape(t, metricsOf(t, run))
	first, second := " story=A quiet afternoon (features/storm.feature:31)",
		" story=A quiet afternoon (features/storm.feature:31) [2]"
	for key, want := range map[string]float64{
		"myriad_story_duration_seconds" + first:                                                      10,
		"myriad_story_duration_seconds" + second:                                                     10,
		"myriad_fleet_devices fleet=meters" + first:                                                  10,
		"myriad_fleet_devices fleet=meters [2]" + second:                                             10,
		"myriad_errors_total class=dns op=connect" + first:                                           5,
		"myriad_response_seconds fleet= op=publish" + second:                                         200,
		"myriad_then_samples" + first + " then=no message arrives twice (features/storm.feature:36)": 100,
		"myriad_then_samples" + first + " then=no message arrives twice (features/storm.feature:37)": 100,
	} {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s: %v (there: %v), want %v", key, v, ok, want)
		}
	}
}

// TestMetricsOfHostileNames reads them as Prometheus does, and as GitLab does: up to a #, in words
// of a shell, the first two of which are name and value.
func TestMetricsOfHostileNames(t *testing.T) {
	run := hostileRun()
	run.Stories[1].Plan.Story.Name = `issue #17: "quoted" \ 'single` + "\nmyriad_forged 1"
	text := metricsOf(t, run)
	got := scrape(t, text)
	key := `myriad_story_duration_seconds story=issue ＃17: "quoted" \ 'single myriad_forged 1`
	if got[key] != 10 {
		t.Errorf("%s is missing", key)
	}
	if got["myriad_story_duration_seconds story="+plain(hostileText)] != 60 {
		t.Errorf("the hostile story is missing")
	}
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line == "" {
			continue
		}
		words, err := shellWords(line)
		if err != nil || len(words) != 2 || !strings.HasPrefix(words[0], "myriad_") {
			t.Errorf("%s: words %q, error %v", line, words, err)
		}
	}
}

// shellWords splits a line as a POSIX shell does, without expansion.
func shellWords(line string) (words []string, err error) {
	var word strings.Builder
	quoted, escaped := false, false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		case r == '\'' && !quoted:
			return nil, fmt.Errorf("a single quote outside of double ones")
		case r == ' ' && !quoted:
			words = append(words, word.String())
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	if quoted || escaped {
		return nil, fmt.Errorf("a quote that does not end")
	}
	return append(words, word.String()), nil
}

// TestBucketsAgreeWithQuantiles: whether a quantile is within a bound is the same in metrics.prom
// and in the reports.
func TestBucketsAgreeWithQuantiles(t *testing.T) {
	h := hdrhistogram.New(1, int64(time.Hour/time.Microsecond), 3)
	n, exact := 0, 0.0
	for _, le := range bounds() {
		for _, v := range []int64{le - 1, le, le + 1, le + le/500, le * 3 / 2} {
			if err := h.RecordValue(v); err != nil {
				t.Fatal(err)
			}
			n, exact = n+1, exact+float64(v)/1e6
		}
	}
	b := &buckets{}
	b.add(h)
	b.add(hdrhistogram.New(1, 1000, 3)) // an empty one adds nothing
	for i, le := range bounds() {
		want := uint64(0)
		for k := 1; k <= n; k++ { // the k-th value is the k/n quantile
			if h.ValueAtQuantile(100*float64(k)/float64(n)) <= le {
				want++
			}
		}
		if b.upTo[i] != want {
			t.Errorf("%d µs: %d values, and %d quantiles are within it", le, b.upTo[i], want)
		}
	}
	if b.count != uint64(n) || math.Abs(float64(b.micros)/1e6/exact-1) > 0.001 {
		t.Errorf("%d values with the sum %d µs, want %d with %v s", b.count, b.micros, n, exact)
	}
}

// TestRowsOfFleetsReplaceTheirSum only where they add up to it.
func TestRowsOfFleetsReplaceTheirSum(t *testing.T) {
	run := sampleRun()
	r := run.Stories[1]
	hists := func(rooms int64) []reports.TaggedHist {
		return []reports.TaggedHist{
			{Tag: "publish/response/-/-", Hist: histogramOf(100, 1100)},
			{Tag: "publish/response/meters/-", Hist: histogramOf(60, 1100)},
			{Tag: "publish/response/rooms/-", Hist: histogramOf(rooms, 1100)},
			{Tag: "publish/response/-/a/b", Hist: histogramOf(100, 1100)},
			{Tag: "publish/unheard-of/-/-", Hist: histogramOf(1, 1)},
			{Tag: "short", Hist: histogramOf(1, 1)},
		}
	}
	const total = "myriad_response_seconds fleet= op=publish story=A quiet afternoon"
	const rooms = "myriad_response_seconds fleet=rooms op=publish story=A quiet afternoon"
	r.Hists = hists(40)
	got := scrape(t, metricsOf(t, run))
	if _, ok := got[total]; ok || got[rooms] != 40 {
		t.Error("the sum stands beside its parts")
	}
	if got["myriad_phase_response_seconds fleet= op=publish phase=a/b story=A quiet afternoon"] != 100 {
		t.Error("a phase is missing")
	}
	r.Hists = hists(39)
	if got := scrape(t, metricsOf(t, run)); got[total] != 100 {
		t.Error("parts that do not add up replaced their sum")
	}
}

// What is a part of something else has a family of its own, and no figure is in a name: sums over a family are right.
func TestD5_FamiliesAddUp(t *testing.T) {
	run := sampleRun()
	run.Stories[1].Hists = append(run.Stories[1].Hists, reports.TaggedHist{Tag: "publish/response/-/calm", Hist: histogramOf(40, 1100)})
	text := metricsOf(t, run)
	for _, line := range strings.Split(text, "\n") {
		name, labels, _ := strings.Cut(line, "{")
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		if strings.Contains(labels, "phase=") != strings.HasPrefix(name, "myriad_phase_") {
			t.Errorf("phases and the whole run share a family: %s", line)
		}
		name, _, _ = strings.Cut(name, " ")
		if strings.ContainsAny(name, "0123456789") {
			t.Errorf("a figure in a name: %s", name)
		}
	}
	if !strings.Contains(text, `myriad_phase_response_seconds_count{fleet="",op="publish",phase="calm"`) {
		t.Error("the phase is missing")
	}
}

// BenchmarkMetrics renders an hour of three fleets in five phases, read from its folder.
func BenchmarkMetrics(b *testing.B) {
	run := seriesRun(3600)
	r := run.Stories[0]
	r.Hists = nil
	for _, op := range []string{"connect", "publish", "end-to-end", "storage"} {
		for _, measure := range []string{"response", "service", "lag"} {
			for _, span := range []string{"-/-", "meters/-", "rooms/-", "lights/-", "-/a", "-/b", "-/c", "-/d", "-/e"} {
				h := histogramOf(20_000, 137, 1_200, 2_900, 17_000, 88_000, 430_000, 5_310_000, 42_000_000)
				r.Hists = append(r.Hists, reports.TaggedHist{Tag: op + "/" + measure + "/" + span, Hist: h})
			}
		}
	}
	dir := filepath.Join(b.TempDir(), "run")
	if err := Write(dir, run); err != nil {
		b.Fatal(err)
	}
	d, err := Load(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var text bytes.Buffer
	for b.Loop() {
		text.Reset()
		if err := Metrics(&text, d); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(text.Len()), "bytes/file")
}
