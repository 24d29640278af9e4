package render

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/myriad-iot/myriad/reports"
)

const hlogComment = "[values in microseconds; Interval_Max in seconds; Tag=story/operation/measure/fleet/phase]"

// writeHists writes the histograms in the HdrHistogram log format 1.3, one interval per histogram:
// it starts at the story's origin and lasts as long as the story. Tags are "story/" and the
// histogram's own tag, with the characters that the format forbids percent-encoded.
func writeHists(w io.Writer, run *reports.Run) error {
	log := hdrhistogram.NewHistogramLogWriter(w)
	// The format's start and base lines hold whole seconds.
	base := run.Info.Started.Unix() * 1000
	if run.Info.Started.IsZero() {
		base = 0
	}
	log.SetBaseTime(base)
	for _, step := range []func() error{
		func() error {
			return log.OutputComment(hlogComment)
		},
		log.OutputLogFormatVersion,
		func() error { return log.OutputBaseTime(base) },
		func() error { return log.OutputStartTime(base) },
		log.OutputLegend,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	for i, r := range run.Stories {
		start := base
		if !r.T0.IsZero() {
			start = max(base, r.T0.UnixMilli())
		}
		for _, t := range r.Hists {
			if t.Hist == nil {
				continue
			}
			h := *t.Hist // a copy of the header: tag and times are set, the counts are only read
			h.SetTag(strconv.Itoa(i) + "/" + escapeTag(t.Tag))
			h.SetStartTimeMs(start)
			h.SetEndTimeMs(start + r.Length.Milliseconds())
			if err := log.OutputIntervalHistogram(&h); err != nil {
				return fmt.Errorf("histogram %q: %w", t.Tag, err)
			}
		}
	}
	return nil
}

func readHists(r io.Reader, stories []*reports.Result) error {
	log := hdrhistogram.NewHistogramLogReader(r)
	for n := 1; ; n++ {
		h, err := log.NextIntervalHistogram()
		if err != nil {
			return fmt.Errorf("histogram %d: %w", n, err)
		}
		if h == nil {
			return nil
		}
		number, tag, _ := strings.Cut(h.Tag(), "/")
		i, err := strconv.Atoi(number)
		if err != nil || i < 0 || i >= len(stories) {
			return fmt.Errorf("histogram %d: tag %q names no story", n, h.Tag())
		}
		if tag, err = url.PathUnescape(tag); err != nil {
			return fmt.Errorf("histogram %d: tag: %w", n, err)
		}
		h.SetTag(tag)
		stories[i].Hists = append(stories[i].Hists, reports.TaggedHist{Tag: tag, Hist: h})
	}
}

// escapeTag percent-encodes control characters, space, comma and percent.
func escapeTag(tag string) string {
	var b strings.Builder
	for i := range len(tag) {
		if c := tag[i]; c <= ' ' || c == ',' || c == '%' || c == 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func countHists(r *reports.Result) int {
	n := 0
	for _, t := range r.Hists {
		if t.Hist != nil {
			n++
		}
	}
	return n
}
