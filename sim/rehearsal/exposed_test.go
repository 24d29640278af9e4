package rehearsal

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// counters reads what only grows: counters, and the buckets, counts and sums of histograms.
func counters(t *testing.T, text string) map[string]float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for name, f := range families {
		for _, m := range f.GetMetric() {
			key := name
			for _, l := range m.GetLabel() {
				key += " " + l.GetName() + "=" + l.GetValue()
			}
			if c := m.GetCounter(); c != nil {
				all[key] = c.GetValue()
			}
			if h := m.GetHistogram(); h != nil {
				all[key+" count"], all[key+" sum"] = float64(h.GetSampleCount()), h.GetSampleSum()
				for _, b := range h.GetBucket() {
					all[key+" le "+time.Duration(b.GetUpperBound()*1e9).String()] = float64(b.GetCumulativeCount())
				}
			}
		}
	}
	return all
}

func scraped(t *testing.T, e *Exposed, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

// What is told while a story runs never shrinks, and ends as what is told of it afterwards.
func TestExposed(t *testing.T) {
	t.Chdir(t.TempDir())
	const path = "story.feature"
	text := `Feature: F
  Scenario: S of secret-town
    Given the target "virtual"
    And a fleet "meters" of 50 "sensor" devices
    And a fleet "pumps" of 10 "sensor" devices
    And fleet "meters" publishes to "{fleet}/{id}/t" every 10s
    And fleet "meters" is on an NB-IoT network
    And fleet "pumps" speaks CoAP with CON
    And fleet "pumps" publishes to "{fleet}/{id}/t" every 5s
    When fleet "meters" connects evenly over 10s
    And fleet "pumps" connects evenly over 10s
    And phase "steady" runs for 2m
    And "broker" is killed and stays down for 30s
    And "coap" is killed and stays down for 30s
    And phase "after" runs for 5m
    Then no message is lost
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	suite, err := scenarios.Load([]string{path}, scenarios.Options{Seed: 7, Scale: 1})
	if err != nil {
		t.Fatal(err)
	}
	e := &Exposed{Secrets: []string{"secret-town"}}
	var before map[string]float64
	var last string
	phased := false
	run := reports.Run{Info: reports.Info{Seed: 7, Scale: 1, Version: "1"}}
	bubble.Test(t, func(t *testing.T) {
		began := time.Now()
		v := &imagined{order: &imagining{Plan: &suite.Stories[0].Plan, RunID: 9}, began: began, asked: func() bool { return false }}
		v.live = newLive(&Display{W: io.Discard}, suite.Stories[0])
		end := e.begin(&run.Info, v.live, v, v.clock.Now)
		v.passed = func() {
			code, said := scraped(t, e, "/metrics")
			if code != http.StatusOK || strings.Contains(said, "secret-town") {
				t.Fatalf("%d %s", code, said)
			}
			now := counters(t, said)
			for key, n := range before {
				if now[key] < n {
					t.Errorf("after %v %s shrinks from %v to %v", time.Since(began), key, n, now[key])
				}
			}
			before, last = now, said
			phased = phased || strings.Contains(said, `myriad_story_phase{phase="after",story="S of ***"} 1`)
		}
		result, err := v.run()
		if err != nil {
			t.Fatal(err)
		}
		run.Stories = append(run.Stories, result)
		_, whole := scraped(t, e, "/metrics")
		before = counters(t, whole)
		end()
	})
	if !phased {
		t.Error("no phase is ever under way")
	}
	for _, want := range []string{`myriad_fleet_connected_devices{fleet="meters",`, "myriad_run_stories_over_total 0"} {
		if !strings.Contains(last, want) {
			t.Errorf("no %s in %s", want, last)
		}
	}
	if problems, err := promlint.New(strings.NewReader(last)).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	if _, between := scraped(t, e, "/metrics"); !strings.Contains(between, "myriad_run_stories_over_total 1") || strings.Contains(between, "fleet") {
		t.Errorf("between stories: %s", between)
	}
	reports.Redact(&run, e.Secrets)
	if err := e.Final(&run); err != nil {
		t.Fatal(err)
	}
	_, end := scraped(t, e, "/metrics")
	var file bytes.Buffer
	if err := render.Metrics(&file, render.NewDocument(&run)); err != nil || file.String() != end {
		t.Errorf("%v: the end is not metrics.prom: %s", err, end)
	}
	final, common := counters(t, end), 0
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if n, known := final[key]; known {
			if common++; n != before[key] {
				t.Errorf("%s is %v at the end and %v in metrics.prom", key, before[key], n)
			}
		}
	}
	if common < 100 {
		t.Errorf("%d figures are in both", common)
	}
	if code, _ := scraped(t, e, "/"); code != http.StatusNotFound {
		t.Errorf("/ is answered with %d", code)
	}
}

// The last figures stay until whoever reads them again and again has done so once more, and nobody else is waited for.
func TestLastFigures(t *testing.T) {
	for name, tt := range map[string]struct {
		reads []time.Duration // before the end
		want  time.Duration
	}{
		"nobody reads":       {nil, 0},
		"every 10 s":         {[]time.Duration{34 * time.Second, 24 * time.Second, 14 * time.Second, 4 * time.Second}, 11 * time.Second},
		"once":               {[]time.Duration{4 * time.Second}, 61 * time.Second},
		"it has gone":        {[]time.Duration{60 * time.Second, 50 * time.Second}, 0},
		"every five minutes": {[]time.Duration{301 * time.Second, time.Second}, 64 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				e := new(Exposed)
				at := time.Hour
				for _, before := range tt.reads {
					time.Sleep(at - before)
					at = before
					scraped(t, e, "/metrics")
				}
				time.Sleep(at)
				if err := e.Final(new(reports.Run)); err != nil {
					t.Fatal(err)
				}
				wait, told := e.Expected()
				if wait != tt.want {
					t.Errorf("it waits for %v, not %v", wait, tt.want)
				}
				scraped(t, e, "/elsewhere")
				select {
				case <-told:
					t.Error("it has been read")
				default:
				}
				scraped(t, e, "/metrics")
				scraped(t, e, "/metrics")
				<-told
			})
		})
	}
}
