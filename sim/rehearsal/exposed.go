package rehearsal

import (
	"bytes"
	"net/http"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/render"
)

const (
	// textFormat is the media type of Prometheus' text format.
	textFormat = "text/plain; version=0.0.4; charset=utf-8"

	// patience is how much later than expected the last scrape may come, and longest is how long it is waited for at most.
	patience = 5 * time.Second
	longest  = 65 * time.Second
)

// Exposed answers to Prometheus while a run goes on, and with the same figures as metrics.prom when it is over. It implements
// http.Handler. The zero value is ready; its methods may be called from any goroutine.
//
// A story in virtual time is over before anybody could look, so of such there is only the end.
type Exposed struct {
	Secrets []string // texts that no answer may show

	mu       sync.Mutex
	info     reports.Info
	over     int                                // stories that are
	show     func(write func(*render.Progress)) // the story under way, whose figures stand still in write; nil: there is none
	final    []byte                             // nil: the run is not over
	told     chan struct{}                      // closed when that has been read
	asked    time.Time                          // when somebody asked last; zero: never
	interval time.Duration                      // since the time before
}

// begin makes the story under way one that can be watched, until end is called. now is how long it has run.
func (e *Exposed) begin(info *reports.Info, l *live, s shown, now func() time.Duration) (end func()) {
	if e == nil {
		return func() {}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.info = *info
	e.show = func(write func(*render.Progress)) {
		p := &render.Progress{Plan: &l.story.Plan, Phase: l.phaseAt(now()), Elapsed: now()}
		for _, f := range s.devices().Fleets {
			p.Connected = append(p.Connected, f.Connected)
		}
		s.folded(func(f *reports.Fold) {
			p.Fold = f
			write(p)
		})
	}
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.show, e.over = nil, e.over+1
	}
}

// ServeHTTP implements http.Handler.
func (e *Exposed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/metrics" {
		http.Error(w, "it is /metrics", http.StatusNotFound)
		return
	}
	text, err := e.answer()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", textFormat)
	if _, err := w.Write(text); err == nil {
		e.read()
	}
}

// answer is what Prometheus is told now.
func (e *Exposed) answer() ([]byte, error) {
	e.mu.Lock()
	now := time.Now()
	if !e.asked.IsZero() {
		e.interval = now.Sub(e.asked)
	}
	e.asked = now
	r, show, final := render.Running{Info: e.info, Over: e.over}, e.show, e.final
	e.mu.Unlock()
	var b bytes.Buffer
	var err error
	switch {
	case final != nil:
		return final, nil
	case show == nil:
		err = render.RunningMetrics(&b, &r)
	default:
		show(func(p *render.Progress) {
			r.Now = p
			err = render.RunningMetrics(&b, &r)
		})
	}
	if hide := reports.Concealer(e.Secrets); hide != nil {
		return []byte(hide.Replace(b.String())), err
	}
	return b.Bytes(), err
}

// read notes that an answer has gone out.
func (e *Exposed) read() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.final == nil {
		return
	}
	select {
	case <-e.told:
	default:
		close(e.told)
	}
}

// Final says what is answered from now on: the figures of a run that is over.
func (e *Exposed) Final(run *reports.Run) error {
	var b bytes.Buffer
	if err := render.Metrics(&b, render.NewDocument(run)); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.final, e.told = b.Bytes(), make(chan struct{})
	return nil
}

// Expected is for how long the final figures should be there to be read: until somebody who asks again and again asks once
// more. It is 0 if nobody does. Told is closed when they have been read.
func (e *Exposed) Expected() (wait time.Duration, told <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.asked.IsZero() || e.final == nil {
		return 0, e.told
	}
	usual := e.interval
	if usual == 0 {
		usual = longest // it has asked once
	}
	return max(0, min(usual+patience, longest)-time.Since(e.asked)), e.told
}
