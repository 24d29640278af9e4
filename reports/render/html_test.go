package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

func htmlOf(t *testing.T, run *reports.Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, NewDocument(run)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// wellFormed parses s strictly, as XML, and returns the names of the elements in it.
func wellFormed(t *testing.T, s string) map[string]int {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(s))
	elements := map[string]int{}
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return elements
		}
		if err != nil {
			line, _ := dec.InputPos()
			t.Fatalf("line %d: %v: %s", line, err, strings.Split(s, "\n")[line-1])
		}
		if e, ok := tok.(xml.StartElement); ok {
			elements[e.Name.Local]++
			for _, a := range e.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "style" {
					t.Errorf("<%s> has the attribute %s, which the policy forbids", e.Name.Local, a.Name.Local)
				}
			}
		}
	}
}

func TestHTML(t *testing.T) {
	got := htmlOf(t, sampleRun())
	golden(t, "report.html", []byte(got))
	if dir := os.Getenv("RENDER_SAMPLE"); dir != "" { // a copy to look at
		if err := os.WriteFile(filepath.Join(dir, "report.html"), []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	elements := wellFormed(t, got)
	for _, forbidden := range []string{"script", "link", "img", "iframe", "object", "form"} {
		if elements[forbidden] > 0 {
			t.Errorf("there is a <%s>", forbidden)
		}
	}
	for _, want := range []string{
		`<span class="badge">failed</span>`, "A broker dies under a thousand meters",
		"p99 publish latency is below 200ms during the run",
		"5.31 s", "&lt; 200 ms", "-5.11 s", "57,900", "no acknowledged message is lost", "meters-7 41-42",
		"myriad run features/storm.feature --seed 42 --set &#39;site=north wing&#39;", "phase “outage”", "12,431",
		"seconds without data",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

func TestHTMLAllowsItsOwnStyleOnly(t *testing.T) {
	got := htmlOf(t, sampleRun())
	sheet := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(got)
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(got)
	if sheet == nil || policy == nil {
		t.Fatal("no style or no policy")
	}
	sum := sha256.Sum256([]byte(sheet[1]))
	want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	// The parser gives the value that a browser sees.
	var meta struct {
		Content string `xml:"content,attr"`
	}
	if err := xml.Unmarshal([]byte(`<meta content="`+policy[1]+`"/>`), &meta); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(meta.Content, "default-src 'none'") || !strings.Contains(meta.Content, want) {
		t.Errorf("policy %q, want %q in it", meta.Content, want)
	}
	if strings.Contains(sheet[1], "url(") || strings.Contains(sheet[1], "@import") {
		t.Error("the style sheet asks for something from elsewhere")
	}
}

func TestHostileTextIsHarmless(t *testing.T) {
	run := hostileRun()
	dir := t.TempDir()
	if err := Write(dir, run); err != nil {
		t.Fatal(err)
	}
	files := readAll(t, dir)
	elements := wellFormed(t, files[fileHTML])
	if elements["script"] > 0 || strings.Contains(files[fileHTML], "<script") {
		t.Error("a script got into the page")
	}
	wellFormed(t, files["junit.xml"])
	markdown, fenced, _ := strings.Cut(files["summary.md"], "```sh\n")
	if strings.Contains(markdown, "<script") || strings.Count(fenced, "\n") != 2 {
		t.Error("a script got into summary.md")
	}
	var text bytes.Buffer
	if err := Text(&text, run, TextOptions{Dir: hostileText}); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{
		"text": text.String(), "live block": strings.ReplaceAll(LiveBlock(State{Story: hostileText, Phase: hostileText,
			Errors: 1, LastError: hostileText, Latency: Recent{Op: hostileText, Count: 1}}, TextOptions{}), "\x1b[K", ""),
		"live line": LiveLine(State{Phase: hostileText, Errors: 1, LastError: hostileText}), "summary.md": files["summary.md"],
	} {
		if i := strings.IndexFunc(s, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x202e }); i >= 0 {
			t.Errorf("%s: control character %q", name, s[i])
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(Annotations(run)), "\n") {
		if !strings.HasPrefix(line, "::error file=") && !strings.HasPrefix(line, "::warning file=") {
			t.Errorf("annotation %q", line)
		}
	}
}

func seriesRun(n int) *reports.Run {
	r := quietResult(sampleRun().Info.Started)
	r.Frames, r.Length = nil, 0
	for s := range n {
		r.Frames = append(r.Frames, reports.Frame{Second: s, Fleet: "meters", Due: 10, Sent: 10, Acked: 10, Connected: 10,
			Latency: map[string]reports.Quantiles{"publish": quantiles(10, 0.001, 0.002, 0.003)}})
	}
	if n > 1800 {
		r.Frames[1234].Latency["publish"] = quantiles(10, 0.001, 0.002, 77)
		r.Frames[1500].Sent = 0
	}
	return &reports.Run{Stories: []*reports.Result{r}}
}

func TestChartsOfAnyLength(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 3, 2: 3, 3600: 3} {
		run := seriesRun(n)
		list := charts(run.Stories[0])
		if len(list) != want {
			t.Errorf("%d seconds: %d charts, want %d", n, len(list), want)
		}
		page := htmlOf(t, run)
		if elements := wellFormed(t, page); elements["figure"] != want {
			t.Errorf("%d seconds: %d figures", n, elements["figure"])
		}
		for _, c := range list {
			if strings.Contains(string(c.SVG), "NaN") || strings.Contains(string(c.SVG), "Inf") {
				t.Errorf("%d seconds: %s has a coordinate that is none", n, c.Title)
			}
			if len(c.SVG) > 40_000 {
				t.Errorf("%d seconds: %s takes %d bytes", n, c.Title, len(c.SVG))
			}
		}
	}
	one := charts(seriesRun(1).Stories[0])[2]
	if !strings.Contains(string(one.SVG), `<circle class="dot s-p99"`) {
		t.Error("a single point is not drawn")
	}
}

func TestSpikesSurvive(t *testing.T) {
	var points []point
	for s := range 3600 {
		points = append(points, point{float64(s), 1})
	}
	points[1234].y, points[1500].y, points[2000].y = 77, -3, math.NaN()
	kept := downsample(points, 3600, bucketsAcross)
	if len(kept) > 3*bucketsAcross || len(kept) < bucketsAcross {
		t.Errorf("%d points kept", len(kept))
	}
	high, low, holes, last := 0.0, 0.0, 0, -1.0
	for _, p := range kept {
		if p.x <= last {
			t.Fatalf("%v after %v", p.x, last)
		}
		last = p.x
		if math.IsNaN(p.y) {
			holes++
			continue
		}
		high, low = math.Max(high, p.y), math.Min(low, p.y)
	}
	if high != 77 || low != -3 || holes != 1 {
		t.Errorf("highest %v, lowest %v, %d holes; want 77, -3, 1", high, low, holes)
	}
	if short := downsample(points[:500], 3600, bucketsAcross); len(short) != 500 {
		t.Errorf("a short series was cut to %d", len(short))
	}
	// And in the drawing: the spike reaches the top of the plot's range.
	chart := charts(seriesRun(3600).Stories[0])[2]
	from, to := yRange()
	y := durationAxis(0.001, 77, from, to).at(77)
	if !strings.Contains(string(chart.SVG), " "+num(y)+"L") {
		t.Errorf("no point at the spike's height %s", num(y))
	}
}

func TestAxes(t *testing.T) {
	for _, c := range []struct {
		a    axis
		want string
	}{
		{countAxis(0, 0, 1), "0 0.25 0.5 0.75 1"},
		{countAxis(7, 0, 1), "0 2 4 6 8"},
		{countAxis(1000, 0, 1), "0 250 500 750 1,000"},
		{countAxis(250000, 0, 1), "0 100k 200k 300k"},
		{durationAxis(0.001, 0.04, 0, 1), "0 0.01 0.02 0.03 0.04"},
		{durationAxis(0.001, 10, 0, 1), "0.001 0.01 0.1 1 10"},
		{durationAxis(0.0008, 0.045, 0, 1), "0.0005 0.001 0.002 0.005 0.01 0.02 0.05"},
		{durationAxis(0, 10, 0, 1), "0 2.5 5 7.5 10"},
	} {
		var got []string
		for _, v := range c.a.ticks() {
			s := tickCount(v)
			if v < 1 && v > 0 {
				s = num4(v)
			}
			got = append(got, s)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%+v: %s, want %s", c.a, s, c.want)
		}
	}
	for end, want := range map[float64]int{1: 2, 8: 9, 20: 5, 60: 7, 3600: 7, 86400: 7, 864000: 6} {
		if got := len(timeTicks(end)); got != want {
			t.Errorf("%v s: %d ticks %v, want %d", end, got, timeTicks(end), want)
		}
	}
	for v, want := range map[float64]string{0.01: "10 ms", 100: "100 s", 1000: "16:40", 10_000: "2:46:40", 500_000: "138:53:20"} {
		if got := tickDuration(v); got != want {
			t.Errorf("%v s: %q, want %q", v, got, want)
		}
	}
	log := durationAxis(0.001, 10, 0, 100)
	for v, want := range map[float64]float64{0.001: 0, 0.1: 50, 10: 100, 1000: 100, 0: 0} {
		if got := log.at(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v is at %v, want %v", v, got, want)
		}
	}
}

func num4(v float64) string { return trim(strings.TrimRight(number(v, 6), " ")) }

// TestNamesOfLimitsStandApart: three limits that are close are all readable.
func TestNamesOfLimitsStandApart(t *testing.T) {
	from, to := yRange()
	p := newPlot("limits", 60, durationAxis(0.001, 3, from, to))
	p.limits([]limit{{3, "p99 < 3 s"}, {2.5, "p99 ≤ 2.5 s"}, {2, "p90 ≤ 2 s"}, {0.01, "p50 < 10 ms"}})
	type box struct{ x, y, wide float64 }
	var boxes []box
	for _, m := range regexp.MustCompile(`x="([\d.]+)" y="([\d.]+)">([^<]*)</text>`).FindAllStringSubmatch(p.done(), -1) {
		x, errX := strconv.ParseFloat(m[1], 64)
		y, errY := strconv.ParseFloat(m[2], 64)
		if errX != nil || errY != nil {
			t.Fatal(m)
		}
		boxes = append(boxes, box{x, y, glyph * float64(utf8.RuneCountInString(html.UnescapeString(m[3])))})
	}
	if len(boxes) != 4 || boxes[3].x != boxes[0].x {
		t.Fatalf("%v: want four names, the last where the first is", boxes)
	}
	for i, a := range boxes {
		for _, b := range boxes[:i] {
			if math.Abs(a.y-b.y) < labelRow && a.x > b.x-b.wide && b.x > a.x-a.wide {
				t.Errorf("%v covers %v", a, b)
			}
		}
	}
}

// TestOnlyWhatWentWellIsFolded in a report of several stories.
func TestOnlyWhatWentWellIsFolded(t *testing.T) {
	run := sampleRun()
	const folded, open = `<details class="more">`, `<details class="more" open="open">`
	for _, c := range []struct {
		stories      []*reports.Result
		folded, open int
	}{{run.Stories, 1, 1}, {run.Stories[1:], 0, 1}, {run.Stories[:1], 0, 1}} {
		page := htmlOf(t, &reports.Run{Stories: c.stories})
		if f, o := strings.Count(page, folded), strings.Count(page, open); f != c.folded || o != c.open {
			t.Errorf("%d stories: %d folded, %d open, want %d and %d", len(c.stories), f, o, c.folded, c.open)
		}
	}
}

// TestRowsThatSayNothingAreLeftOut, and named, unless nobody knows their figures.
func TestRowsThatSayNothingAreLeftOut(t *testing.T) {
	r := sampleRun().Stories[1]
	l := ledgerTable(r)
	const zero = "stored, refused, unknown, without answer, unsettled, unwatched, resent, dropped, unsent, phantom, undelivered, nobody subscribed, lost at QoS 0, lost at QoS 1, lost at QoS 2, simulator lost"
	if l.Zero != zero || len(l.Rows)+strings.Count(zero, ", ")+1 != len(ledger.Columns()) {
		t.Errorf("%d rows, and not shown: %s", len(l.Rows), l.Zero)
	}
	r.Fleets[0].Unobserved = "nobody looks"
	if l := ledgerTable(r); l.Zero != "refused, without answer, resent, dropped, unsent, nobody subscribed, simulator lost" {
		t.Errorf("without an observer, not shown: %s", l.Zero)
	}
	r.Latency = append(r.Latency, reports.LatencyRow{Op: sim.OpPublish, Fleet: "meters"})
	if n := len(latencyRows(r)); n != 1 {
		t.Errorf("%d rows of latency, want one: the only fleet's are those of all", n)
	}
}

// The report says what the story declares, and names each figure of a claim where there is no room for a table.
func TestD4_GivensAndNarrowClaims(t *testing.T) {
	run := sampleRun()
	run.Stories[0].Plan.Story.Givens = []string{`a fleet "rooms" of 10 "sensor" devices`, "the fleets:\n| name |\n| <a> |"}
	out := htmlOf(t, run)
	for _, want := range []string{
		"<li>a fleet &#34;rooms&#34; of 10 &#34;sensor&#34; devices</li>", "<li>the fleets:\n| name |\n| &lt;a&gt; |</li>",
		`<table class="claims">`, `data-name="value"`, `data-name="limit"`, `data-name="margin"`, `data-name="n"`, "@media (max-width:600px){.claims tr{display:grid",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s", want)
		}
	}
}

// TestD4_WideTablesOnNarrowScreens: each figure of a table with many columns has the name of its column, below which it
// stands where there is no room, and no word of it is broken where there is.
func TestD4_WideTablesOnNarrowScreens(t *testing.T) {
	run := sampleRun()
	r := run.Stories[0]
	r.Hearings = []reports.HearingResult{{From: "meters", Stream: "report", To: []string{"boards"}}}
	r.Heard = []ledger.Heard{{Device: "boards-7", From: "meters", Missing: "meters-3: 4-13"}}
	r.Streams = []reports.StreamResult{{Fleet: "meters", Stream: "report", Topic: "t"}}
	r.Endpoints = []reports.EndpointLoad{{Address: "mqtt://a:1", Devices: 3, Second: 3, Seconds: 4}, {Address: "mqtt://b:1", Devices: 3}}
	page := htmlOf(t, run)
	tables := regexp.MustCompile(`(?s)<table class="cells">.*?</table>`).FindAllString(page, -1)
	if len(tables) != 6 { // both stories have fleets
		t.Fatalf("%d tables have named cells", len(tables))
	}
	for _, table := range tables {
		rows := strings.Split(table, "<tr")
		var heads []string
		for _, m := range regexp.MustCompile(`<th[^>]*>([^<]*)</th>`).FindAllStringSubmatch(rows[1], -1) {
			heads = append(heads, m[1])
		}
		for _, row := range rows[2:] {
			var named []string
			for _, m := range regexp.MustCompile(`<td[^>]* data-name="([^"]*)"`).FindAllStringSubmatch(row, -1) {
				named = append(named, m[1])
			}
			if !slices.Equal(named, heads) {
				t.Errorf("the cells are named %q below %q", named, heads)
			}
		}
	}
	if !strings.Contains(pageCSS, ".scroll td{overflow-wrap:break-word}") {
		t.Error("words in tables are broken anywhere")
	}
	if rows := endpointRows(r); rows[0][2] != "-" || rows[1][2] != "0" || rows[0][7] != "3" || rows[0][8] != "4" {
		t.Errorf("endpoints: %q", rows)
	}
}
