package render

import (
	"fmt"
	"strings"
	"time"
)

// State is what the live display shows. Rates are messages per second, latencies seconds; figures
// of the "last seconds" cover the window that the caller chose.
type State struct {
	Story     string
	Phase     string        // empty outside of phases
	Elapsed   time.Duration // since the run's origin; negative before it
	Planned   time.Duration // the timeline's length, 0 when unknown
	Connected int64
	Devices   int64
	Behind    time.Duration // how old what is known of messages is
	Rate      float64       // sent in the last seconds
	Target    float64       // what the plan asks for now
	Latency   Recent        // response time of the last seconds
	LagP99    float64
	Errors    uint64 // since the start
	LastError string // its class
}

// Recent is the latency of the last seconds.
type Recent struct {
	Op    string // "publish"
	Count int64
	P50   float64
	P99   float64
}

// LiveLines is the height of the live block, and LiveRedraw moves the cursor from below the block
// back to its first line.
const (
	LiveLines  = 5
	LiveRedraw = "\x1b[5A\r"
)

// LiveBlock renders s for a terminal: LiveLines lines, none wider than o.Width, each ending in a
// code that erases what stood there before.
func LiveBlock(s State, o TextOptions) string {
	width := o.width()
	trouble := "none"
	if s.Errors > 0 {
		trouble = Count(s.Errors)
		if s.LastError != "" {
			trouble += ", last: " + plain(s.LastError)
		}
	}
	label := func(name string) string { return fmt.Sprintf("  %-10s", name) }
	lines := [LiveLines]struct{ head, text, color string }{
		{"", liveTitle(s), bold},
		{label("time"), liveTime(s, width-40), ""},
		{label("devices"), fmt.Sprintf("%s connected · %s", of(s.Connected, s.Devices), liveRate(s)), ""},
		{label("latency"), fmt.Sprintf("%s · lag p99 %s", liveLatency(s.Latency), Seconds(s.LagP99)), ""},
		{label("errors"), trouble, ""},
	}
	if s.Errors > 0 {
		lines[4].color = red
	}
	var b strings.Builder
	for _, l := range lines {
		text := cut(l.text, width-len(l.head)-1) // a full last column would wrap on some terminals
		b.WriteString(o.paint(grey, l.head) + o.paint(l.color, text) + "\x1b[K\n")
	}
	return b.String()
}

// LiveLine renders s as one plain line, for logs.
func LiveLine(s State) string {
	parts := []string{clock(s.Elapsed)}
	if s.Planned > 0 {
		parts[0] += "/" + clock(s.Planned)
	}
	if s.Phase != "" {
		parts = append(parts, fmt.Sprintf("phase %q", plain(s.Phase)))
	}
	parts = append(parts, of(s.Connected, s.Devices)+" connected", liveRate(s), liveLatency(s.Latency),
		"lag p99 "+Seconds(s.LagP99), plural(int(s.Errors), "error", "errors"))
	if s.Errors > 0 && s.LastError != "" {
		parts[len(parts)-1] += " (last: " + plain(s.LastError) + ")"
	}
	return strings.Join(parts, ", ") + "\n"
}

func liveTitle(s State) string {
	title := plain(or(s.Story, "story"))
	if s.Phase != "" {
		title += fmt.Sprintf(" · phase %q", plain(s.Phase))
	}
	return title
}

// liveTime is a bar with the time gone and the time left.
func liveTime(s State, width int) string {
	if s.Elapsed < 0 {
		return "starts in " + clock(-s.Elapsed)
	}
	if s.Planned <= 0 {
		return clock(s.Elapsed)
	}
	width = min(max(width, 10), 40)
	done := min(int(float64(width)*float64(s.Elapsed)/float64(s.Planned)), width)
	left := "finishing"
	if s.Elapsed < s.Planned {
		left = clock(s.Planned-s.Elapsed) + " left"
	}
	return strings.Repeat("━", done) + strings.Repeat("╌", width-done) + " " + clock(s.Elapsed) + ", " + left
}

func liveRate(s State) string {
	rate := func(r float64) string {
		if r >= 10 {
			r = float64(int64(r + 0.5))
		}
		return Rate(r)
	}
	text := rate(s.Rate) + " of " + rate(s.Target) + " planned"
	if s.Behind >= 3*time.Second {
		text += fmt.Sprintf(", as of %d s ago", int(s.Behind.Seconds()))
	}
	return text
}

func liveLatency(r Recent) string {
	if r.Count == 0 {
		return "no answer in the last seconds"
	}
	return fmt.Sprintf("%s p50 %s, p99 %s", plain(or(r.Op, "latency")), percentile(r.P50, r.Count, .5),
		percentile(r.P99, r.Count, .99))
}

func of(n, total int64) string { return Count(n) + "/" + Count(total) }
