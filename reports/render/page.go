package render

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// maxDevices is how many devices' accounts the page shows; ledger/ has more.
const maxDevices = 50

// page is what page.html shows: text, ready to be escaped.
type page struct {
	Info          reports.Info
	Policy        string
	Style         template.HTML
	Verdict       reports.Verdict
	Title         string
	Headline      string
	Took          string
	Stories       []pageStory
	Command       string
	Circumstances []named
}

type named struct{ Name, Value string }

type pageStory struct {
	Number        int
	Name          string
	Feature       string
	At            string
	Length        string
	Verdict       reports.Verdict
	Tally         string
	Reasons       []string
	Givens        []string
	Steps         []string
	Claims        []pageClaim
	Validity      []pageBox
	Charts        []chart
	Timeline      []pageEvent
	Ledger        pageLedger
	Commands      []commandColumn
	Streams       [][]string
	Wills         [][]string
	Sessions      [][]string
	Hearings      [][]string // what subscribing devices heard
	Unclean       [][]string // those of them whose account is not clean
	Journeys      [][]string
	Fleets        []pageFleet
	Endpoints     [][]string
	EndpointHeads []string
	Seconds       bool // some devices have a second connection
	Devices       []ledger.Evidence
	DevicesTotal  string
	DevicesNote   string
	Latency       []pageLatency
	Errors        []pageError
	Remarks       []pageError
	Open          bool // whether what lies behind the claims is unfolded
}

type pageClaim struct {
	figures
	Verdict reports.Verdict
	Text    string
	Note    string
	Origin  string
}

type pageBox struct {
	Name, Value string
	Warn        bool
}

// pageEvent is a phase, without a number, or a marked event.
type pageEvent struct {
	at               sim.Instant
	Number           int
	Class            string
	At, Text, Origin string
}

type pageLedger struct {
	Heads []string
	Rows  []ledgerRow
	Zero  string   // the names of the columns that are 0
	Notes []string // why some figures are not known
}

type ledgerRow struct {
	Name, Means string
	Cells       []ledgerCell
}

type ledgerCell struct {
	Text      string
	Bad, Zero bool
}

type pageFleet struct{ Name, Devices, Peak, Protocol, Model, Sent, Received string }

type pageLatency struct {
	Op, Fleet, Phase, N string
	Cells               []string
}

type pageError struct{ Class, Op, Count, WarmUp, First, Last, Devices string }

func pageOf(d *Document) *page {
	run := d.Run
	p := &page{
		Info: run.Info, Verdict: run.Verdict(), Took: length(run.Info.Ended.Sub(run.Info.Started)),
		Headline: "no story was run", Command: commandLine(run.Info.Command), Circumstances: circumstances(&run.Info),
	}
	var hash string
	p.Style, hash = style()
	p.Policy = "default-src 'none'; style-src '" + hash + "'; base-uri 'none'; form-action 'none'"
	for i, r := range run.Stories {
		story := pageStoryOf(i, r)
		story.Open = len(run.Stories) == 1 || r.Verdict != reports.Passed
		p.Stories = append(p.Stories, story)
	}
	switch len(p.Stories) {
	case 0:
	case 1:
		p.Headline, p.Title = p.Stories[0].Tally, p.Stories[0].Name
	default:
		p.Headline = fmt.Sprintf("%d stories: %s", len(p.Stories), tally(storyVerdicts(run)))
	}
	return p
}

func pageStoryOf(i int, r *reports.Result) pageStory {
	s := storyOf(r)
	p := pageStory{
		Number: i + 1, Name: or(s.Name, "story"), Feature: s.Feature, At: fmt.Sprintf("%s:%d", s.URI, s.Line),
		Length: length(r.Length), Verdict: r.Verdict, Reasons: r.Reasons, Givens: storyOf(r).Givens, Steps: steps(r), Validity: validity(r),
		Endpoints: endpointRows(r), EndpointHeads: endpointHeads(r), Seconds: secondLines(r), Charts: charts(r), Timeline: happenings(r), Ledger: ledgerTable(r), Commands: commandColumns(r.Commands),
		Streams:  streamRows(r),
		Journeys: journeyRows(r),
		Sessions: sessionRows(r),
		Wills:    willRows(r), Hearings: hearingRows(r), Unclean: unclean(r),
		DevicesTotal: Count(len(r.Devices) + r.DevicesOmitted), Devices: r.Devices,
		Tally: plural(len(r.Findings), "claim", "claims"),
	}
	if len(r.Findings) > 0 {
		p.Tally += ": " + tally(findingVerdicts(r))
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		c := checkOf(f)
		p.Claims = append(p.Claims, pageClaim{figuresOf(f), f.Verdict, c.Text, f.Note, c.Origin})
	}
	for i, f := range r.Fleets {
		sent, received := "-", "-" // nobody counted
		if s, n := bytesOf(r, f.Name); s+n > 0 && counts(r, i) {
			sent, received = volume(s), volume(n)
		}
		p.Fleets = append(p.Fleets, pageFleet{f.Name, Count(f.Devices), Count(f.ConnectedPeak), f.Protocol, f.Model, sent, received})
	}
	if len(r.Devices) > maxDevices {
		p.Devices = r.Devices[:maxDevices]
		p.DevicesNote = fmt.Sprintf("The first %d are shown; ledger/ has more.", maxDevices)
	}
	p.Latency = latencyRows(r)
	p.Errors, p.Remarks = pageErrors(r.Errors), pageErrors(r.Remarks)
	return p
}

func pageErrors(classes []reports.ErrorClass) []pageError {
	var list []pageError
	for _, e := range classes {
		warm := ""
		if e.WarmUp > 0 {
			warm = Count(e.WarmUp)
		}
		list = append(list, pageError{
			strings.TrimPrefix(e.Class, "remark "), e.Op, Count(e.Count), warm, clock(e.First), clock(e.Last), strings.Join(e.Devices, ", "),
		})
	}
	return list
}

// steps are the sentences of the timeline, each once though it may have become several acts.
func steps(r *reports.Result) []string {
	if r.Plan == nil {
		return nil
	}
	var list []string
	last := ""
	for i := range r.Plan.Acts {
		a := &r.Plan.Acts[i]
		if a.Text == "" || a.Origin == last && len(list) > 0 && list[len(list)-1] == a.Text {
			continue
		}
		list, last = append(list, a.Text), a.Origin
	}
	return list
}

// happenings are the phases and the marked events in the order of time.
func happenings(r *reports.Result) []pageEvent {
	var list []pageEvent
	for _, ph := range r.Phases {
		text := fmt.Sprintf("phase “%s” until %s", ph.Name, clock(ph.End))
		list = append(list, pageEvent{at: ph.Start, At: clock(ph.Start), Text: text})
	}
	for i, e := range numbered(r) {
		list = append(list, pageEvent{e.At, i + 1, eventClass(e.Kind), clock(e.At), or(e.Text, string(e.Kind)), e.Origin})
	}
	slices.SortStableFunc(list, func(a, b pageEvent) int { return cmp.Compare(a.at, b.at) })
	return list
}

func validity(r *reports.Result) []pageBox {
	local, missing := localErrors(r), gaps(r)
	// The lag has no colour of its own: whether it was too much is part of the verdict.
	return []pageBox{
		{"lag p50", percentile(r.Lag.P50, r.Lag.Count, .5), false},
		{"lag p99", percentile(r.Lag.P99, r.Lag.Count, .99), false},
		{"lag at most", percentile(r.Lag.Max, r.Lag.Count, 0), false},
		{"errors of this machine", Count(local), local > 0},
		{"seconds without data", Count(missing), missing > 0},
		{"messages unsettled at the end", Count(r.Messages.Unsettled + r.Messages.Unanswered), r.Messages.Unanswered > 0},
	}
}

func ledgerTable(r *reports.Result) pageLedger {
	type account struct {
		totals *ledger.Totals
		blind  bool
	}
	var all []account
	var l pageLedger
	blind := len(r.Fleets) > 0
	for i := range r.Fleets {
		f := &r.Fleets[i]
		if f.Unobserved != "" {
			l.Notes = append(l.Notes, f.Unobserved)
		}
		blind = blind && f.Unobserved != ""
		if len(r.Fleets) > 1 {
			l.Heads, all = append(l.Heads, f.Name), append(all, account{&f.Messages, f.Unobserved != ""})
		}
	}
	l.Heads, all = append(l.Heads, "total"), append(all, account{&r.Messages, blind})
	var zero []string
	for i, c := range ledger.Columns() {
		row, quiet := ledgerRow{Name: c.Name, Means: c.Means}, !always(&c, i)
		for _, a := range all {
			n := c.Of(a.totals)
			if a.blind && c.Far {
				row.Cells, quiet = append(row.Cells, ledgerCell{Text: "?"}), false
				continue
			}
			row.Cells, quiet = append(row.Cells, ledgerCell{Count(n), c.Bad && n > 0, n == 0}), quiet && n == 0
		}
		if quiet {
			zero = append(zero, c.Name)
			continue
		}
		l.Rows = append(l.Rows, row)
	}
	l.Zero = strings.Join(zero, ", ")
	return l
}

func latencyRows(r *reports.Result) []pageLatency {
	var list []pageLatency
	for _, row := range r.Latency {
		if len(r.Fleets) == 1 && row.Fleet != "" {
			continue // the same as that of all fleets
		}
		p := pageLatency{Op: row.Op.String(), Fleet: or(row.Fleet, "all"), Phase: or(row.Phase, "all"),
			N: samples(&row.Response)}
		for _, q := range []reports.Quantiles{row.Response, row.Service} {
			p.Cells = append(p.Cells, quantileCells(&q)...)
		}
		list = append(list, p)
	}
	return list
}

func circumstances(info *reports.Info) []named {
	list := []named{
		{"seed", fmt.Sprint(info.Seed)},
		{"scale", number(info.Scale, 6)},
		{"version", info.Version + ", " + info.GoVersion},
		{"host", fmt.Sprintf("%s, %s %s", info.Host.Name, info.Host.OS, info.Host.Kernel)},
		{"CPUs", Count(info.Host.CPUs)},
		{"memory", number(float64(info.Host.MemoryBytes)/(1<<30), 3) + " GiB"},
		{"descriptors", Count(info.Host.Descriptors)},
	}
	if !info.Started.IsZero() {
		list = append(list, named{"started", date(info.Started)}, named{"ended", date(info.Ended)})
	}
	for _, key := range slices.SortedFunc(maps.Keys(info.Target), cmp.Compare) {
		list = append(list, named{"target " + key, info.Target[key]})
	}
	for i, hash := range info.Plans {
		list = append(list, named{fmt.Sprintf("plan of story %d", i+1), hash})
	}
	return list
}
