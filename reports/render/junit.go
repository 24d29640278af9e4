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

type xmlSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	xmlCounts
	Suites []*xmlSuite `xml:"testsuite"`
}

type xmlCounts struct {
	Tests    int     `xml:"tests,attr"`
	Failures int     `xml:"failures,attr"`
	Errors   int     `xml:"errors,attr"`
	Skipped  int     `xml:"skipped,attr"`
	Time     xmlTime `xml:"time,attr"`
}

type xmlTime float64

// MarshalXMLAttr implements xml.MarshalerAttr.
func (t xmlTime) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	return xml.Attr{Name: name, Value: strconv.FormatFloat(float64(t), 'f', 3, 64)}, nil
}

type xmlSuite struct {
	Name string `xml:"name,attr"`
	File string `xml:"file,attr,omitempty"`
	xmlCounts
	Timestamp  string        `xml:"timestamp,attr,omitempty"`
	Properties []xmlProperty `xml:"properties>property"`
	Cases      []xmlCase     `xml:"testcase"`
}

type xmlProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type xmlCase struct {
	Class   string      `xml:"classname,attr"`
	Name    string      `xml:"name,attr"`
	File    string      `xml:"file,attr,omitempty"`
	Line    int         `xml:"line,attr,omitempty"`
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

// JUnit writes one test suite per feature and one test case per story and per judged sentence. An
// invalid or aborted one is an error, one that was not judged is skipped.
func JUnit(w io.Writer, d *Document) error {
	root := &xmlSuites{Name: "myriad"}
	byURI := map[string]*xmlSuite{}
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
			if !r.T0.IsZero() {
				s.Timestamp = r.T0.UTC().Format(time.RFC3339)
			}
			byURI[story.URI] = s
			root.Suites = append(root.Suites, s)
		}
		s.addStory(r, d.Run.Info.Command)
	}
	for _, s := range root.Suites {
		for i := range s.Cases {
			s.count(&s.Cases[i])
		}
		root.Tests += s.Tests
		root.Failures += s.Failures
		root.Errors += s.Errors
		root.Skipped += s.Skipped
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

// addStory adds the story's own case and those of its sentences. Only the former has a duration:
// all sentences share the story's run.
func (s *xmlSuite) addStory(r *reports.Result, command []string) {
	story := storyOf(r)
	c := xmlCase{
		Class: s.Name, Name: or(story.Name, "story"), File: story.URI, Line: story.Line,
		Time: xmlTime(r.Length.Seconds()),
		Out:  "report: " + fileHTML + "\nrun again: " + commandLine(command),
	}
	judged := plural(len(r.Findings), "claim", "claims")
	c.judge(r.Verdict, judged+": "+tally(findingVerdicts(r)), strings.Join(r.Reasons, "\n"))
	s.Cases = append(s.Cases, c)
	for i := range r.Findings {
		f := &r.Findings[i]
		check := checkOf(f)
		file, line := place(check.Origin)
		c := xmlCase{Class: s.Name, Name: or(story.Name, "story") + ": " + check.Text, File: file, Line: line}
		c.judge(f.Verdict, figuresOf(f).sentence(), f.Note)
		if f.Verdict == reports.Passed {
			c.Out = strings.TrimSpace(figuresOf(f).sentence() + "\n" + f.Note)
		}
		s.Cases = append(s.Cases, c)
	}
}

// judge turns a verdict into JUnit's three kinds of trouble.
func (c *xmlCase) judge(v reports.Verdict, message, detail string) {
	switch v {
	case reports.Passed:
	case reports.Failed:
		c.Failure = &xmlProblem{Message: message, Type: string(v), Text: detail}
	case reports.NotJudged:
		c.Skipped = &xmlProblem{Message: or(detail, message)}
	default:
		c.Error = &xmlProblem{Message: or(detail, message), Type: string(v)}
		if detail != "" {
			c.Error.Text = message
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
