package render

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/reports"
)

// The attributes are those that the schema of Jenkins' xUnit plugin (junit-10.xsd) knows, which is the strictest in
// use: a case has no file and no line there, so the texts say them.

type xmlSuites struct {
	XMLName  xml.Name    `xml:"testsuites"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Time     xmlTime     `xml:"time,attr"`
	Suites   []*xmlSuite `xml:"testsuite"`
}

// xmlTime is in milliseconds, so that sums are exact.
type xmlTime int64

// MarshalXMLAttr implements xml.MarshalerAttr.
func (t xmlTime) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	return xml.Attr{Name: name, Value: fmt.Sprintf("%d.%03d", t/1000, t%1000)}, nil
}

type xmlSuite struct {
	Name       string        `xml:"name,attr"`
	File       string        `xml:"file,attr,omitempty"`
	Tests      int           `xml:"tests,attr"`
	Failures   int           `xml:"failures,attr"`
	Errors     int           `xml:"errors,attr"`
	Skipped    int           `xml:"skipped,attr"`
	Time       xmlTime       `xml:"time,attr"`
	Timestamp  string        `xml:"timestamp,attr,omitempty"`
	Properties []xmlProperty `xml:"properties>property"`
	Cases      []xmlCase     `xml:"testcase"`
	Out        string        `xml:"system-out,omitempty"`
}

type xmlProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type xmlCase struct {
	Class   string      `xml:"classname,attr"`
	Name    string      `xml:"name,attr"`
	Time    xmlTime     `xml:"time,attr"`
	Failure *xmlProblem `xml:"failure"`
	Error   *xmlProblem `xml:"error"`
	Skipped *xmlProblem `xml:"skipped"`
	Out     string      `xml:"system-out,omitempty"`
}

type xmlProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// JUnit writes one test suite per feature and one test case per judged sentence. An invalid or aborted one is an
// error, one that was not judged is skipped. A story has a case of its own only for what no sentence of it says.
func JUnit(w io.Writer, d *Document) error {
	root := &xmlSuites{Name: "myriad"}
	byURI := map[string]*xmlSuite{}
	var order []string
	for _, r := range d.Run.Stories {
		story := storyOf(r)
		s := byURI[story.URI]
		if s == nil {
			s = &xmlSuite{Name: or(story.Feature, or(story.URI, "story")), File: story.URI}
			s.Properties = []xmlProperty{
				{"seed", strconv.FormatUint(d.Run.Info.Seed, 10)},
				{"version", d.Run.Info.Version},
				{"command", commandLine(d.Run.Info.Command)},
			}
			s.Out = "report: " + fileHTML + "\nrun again: " + commandLine(d.Run.Info.Command)
			if !r.T0.IsZero() {
				s.Timestamp = r.T0.UTC().Format(time.RFC3339)
			}
			byURI[story.URI] = s
			root.Suites, order = append(root.Suites, s), append(order, story.URI)
		}
		s.addStory(r)
	}
	names := distinct(len(root.Suites), func(i int) (string, string) { return root.Suites[i].Name, order[i] })
	for i, s := range root.Suites {
		s.finish(names[i])
		root.Tests += s.Tests
		root.Failures += s.Failures
		root.Errors += s.Errors
		root.Time += s.Time
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w) // it replaces characters that XML cannot hold
	enc.Indent("", "  ")
	if err := enc.Encode(root); err != nil {
		return fmt.Errorf("junit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// finish names the suite and its cases, each by a name of its own, and counts them.
func (s *xmlSuite) finish(name string) {
	s.Name = name
	names := distinct(len(s.Cases), func(i int) (string, string) { return s.Cases[i].Name, s.Cases[i].Class })
	for i := range s.Cases {
		s.Cases[i].Class, s.Cases[i].Name = name, names[i]
		s.count(&s.Cases[i])
	}
}

// addStory adds a story's sentences. They share its run, so each has an even part of its time. In a run that is
// invalid, or that was not finished, a broken sentence shows nothing: the story's own case says why.
func (s *xmlSuite) addStory(r *reports.Result) {
	story := storyOf(r)
	title := or(story.Name, "story")
	var cases []xmlCase
	reasons := strings.Join(r.Reasons, "\n")
	carried := len(r.Findings) > 0 && r.Verdict == reports.Passed
	for i := range r.Findings {
		f := &r.Findings[i]
		check := checkOf(f)
		c := xmlCase{Class: check.Origin, Name: title + ": " + check.Text} // the class is the place until all have names
		says := figuresOf(f).sentence()
		carried = carried || f.Verdict == r.Verdict && f.Verdict != reports.Aborted
		switch {
		case f.Verdict == reports.Passed:
			c.Out = strings.TrimSpace(says + "\n" + f.Note + "\n" + check.Origin)
		case f.Verdict == reports.Failed && r.Verdict == reports.Invalid, r.Verdict == reports.Aborted:
			c.judge(reports.NotJudged, says, "the story is "+string(r.Verdict)+", so this shows nothing: "+says, check.Origin)
		case f.Verdict == reports.Invalid:
			c.judge(f.Verdict, says, or(f.Note, reasons), check.Origin)
		default:
			c.judge(f.Verdict, says, f.Note, check.Origin)
		}
		cases = append(cases, c)
	}
	if !carried {
		at := story.URI + ":" + strconv.Itoa(story.Line)
		c := xmlCase{Class: at, Name: title}
		c.judge(r.Verdict, plural(len(r.Findings), "claim", "claims")+": "+tally(findingVerdicts(r)), reasons, at)
		cases = append([]xmlCase{c}, cases...)
	}
	total, n := xmlTime(r.Length.Milliseconds()), xmlTime(len(cases))
	for i := range cases {
		cases[i].Time = total / n
	}
	cases[0].Time += total % n
	s.Cases = append(s.Cases, cases...)
}

// judge turns a verdict into JUnit's three kinds of trouble.
func (c *xmlCase) judge(v reports.Verdict, message, detail, at string) {
	text := func(lines ...string) string { return strings.TrimSpace(strings.Join(lines, "\n")) }
	switch v {
	case reports.Passed:
	case reports.Failed:
		c.Failure = &xmlProblem{Message: message, Type: string(v), Text: text(detail, at)}
	case reports.NotJudged:
		c.Skipped = &xmlProblem{Message: or(detail, message), Text: at}
	default:
		c.Error = &xmlProblem{Message: or(detail, message), Type: string(v), Text: at}
		if detail != "" {
			c.Error.Text = text(message, at)
		}
	}
}

func (s *xmlSuite) count(c *xmlCase) {
	s.Tests++
	s.Time += c.Time
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
