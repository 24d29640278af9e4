package scenarios

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func newTestMatcher(t testing.TB) *matcher {
	t.Helper()
	m, err := newMatcher(Catalogue())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Every example is one step and no other, whatever keyword stands before it.
func TestEachExampleMatchesOneExpression(t *testing.T) {
	m := newTestMatcher(t)
	for i, s := range m.steps {
		var hits []string
		for j, e := range m.strict {
			if e.Regexp().MatchString(s.Example) {
				hits = append(hits, m.steps[j].Expression)
			}
		}
		if len(hits) != 1 {
			t.Errorf("%q matches %d expressions: %q", s.Example, len(hits), hits)
		}
		if n, _, err := m.find(s.Keyword, s.Example); err != nil || n != i {
			t.Errorf("%s %s: found step %d, want %d (%v)", s.Keyword, s.Example, n, i, err)
		}
	}
}

func TestCatalogueIsWhole(t *testing.T) {
	ids, forms := map[string]bool{}, map[string]bool{}
	for _, s := range Catalogue() {
		ids[s.ID] = true
		if forms[s.Expression] {
			t.Errorf("the expression %q is there twice", s.Expression)
		}
		forms[s.Expression] = true
		if s.Doc == "" || !strings.HasSuffix(s.Doc, ".") && !strings.HasSuffix(s.Doc, "...") || s.compile == nil {
			t.Errorf("%s %q has no doc sentence or no compile function", s.ID, s.Expression)
		}
		if (s.Sample != "") != (s.Table == Required) {
			t.Errorf("%q: a sample is there exactly if a table is needed", s.Expression)
		}
	}
	for id := range strings.FieldsSeq(`T1 T2 T4 F1 F2 F3 F4 F7 F8 M1 M2 M3 M4 M6 L1 W1 W2 W3 W4 W6 W7 N3 N4 X1 X2
		A1 A2 A3 A4 A5 A6 A7 A8 A14 A16 A18 F11 F12 F13 F14 F15 F16 S1 S9 S10 L7 N7 A19 A20 A22 A23 A24 A25 A26 A27 A28`) {
		if !ids[id] {
			t.Errorf("no step has the id %s", id)
		}
	}
	later, err := newLater()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range later {
		if forms[l.expr.Source()] {
			t.Errorf("step %s %q is available and among the later ones", l.id, l.expr.Source())
		}
	}
}

// sampleStory puts the example of a step into a story in which it makes sense.
func sampleStory(s *Step) string {
	var b strings.Builder
	line := func(keyword Keyword, text string) { fmt.Fprintf(&b, "    %s %s\n", keyword, text) }
	example := func(k Keyword) {
		if s.Keyword != k {
			return
		}
		line(k, s.Example)
		for l := range strings.Lines(s.Sample) {
			b.WriteString("      " + strings.TrimSpace(l) + "\n")
		}
	}
	b.WriteString("Feature: sample\n  Scenario: sample\n")
	line(Given, `a fleet "base" of 1,000 "sensor" devices`)
	line(Given, `fleet "base" speaks MQTT 3.1.1 with QoS 0`)
	if !strings.HasPrefix(s.Example, "a fleet") {
		line(Given, `a fleet "rooms" of 10,000 "sensor" devices`)
	}
	if s.ID == "F15" {
		line(Given, `fleet "base" speaks CoAP`)
	}
	line(Given, `a fleet "commanded" of 1,000 "sensor" devices`)
	line(Given, `fleet "commanded" takes commands on "{fleet}/{id}/commands" and answers on "{fleet}/{id}/answers"`)
	line(Given, `fleet "commanded" reports its health to "{fleet}/{id}/health" every 1m`)
	line(Given, `a fleet "secure" of 100 "sensor" devices`)
	line(Given, `fleet "secure" speaks MQTT 5 over TLS`)
	line(Given, `a fleet "sealed" of 1,000 "sensor" devices`)
	line(Given, `fleet "sealed" speaks CoAP over DTLS`)
	if s.ID == "A26" {
		line(Given, `a fleet "panels" of 10 "sensor" devices`)
		line(Given, `fleet "panels" publishes nothing`)
		line(Given, `fleet "panels" subscribes to "#"`)
		line(Given, `a fleet "workers" of 10 "sensor" devices`)
		line(Given, `fleet "workers" publishes nothing`)
		line(Given, `fleet "workers" subscribes to "$share/jobs/#"`)
	}
	if s.ID == "A28" {
		line(Given, `fleet "rooms" publishes retained messages`)
		line(Given, `fleet "base" subscribes to "#"`)
	}
	if s.ID == "A27" {
		line(Given, `devices of "rooms" leave the will "gone" on "building/{id}/state"`)
	}
	if strings.Contains(s.Example, `"auth"`) || strings.Contains(s.Example, "the auth service") {
		line(Given, "an auth service decides who may connect")
	}
	if s.ID == "X9" {
		line(Given, `a mosquitto broker in a container`)
	}
	if strings.Contains(s.Example, "the disk of") {
		line(Given, `a mosquitto broker in a container`)
		line(Given, `the limits of "broker":`)
		b.WriteString("      | disk |\n      | 128 MB |\n")
	}
	example(Given)
	if s.ID == "A26" {
		line(When, `fleet "panels" connects evenly over 10s`)
		line(When, `fleet "workers" connects evenly over 10s`)
	}
	line(When, `fleet "base" connects evenly over 10s`)
	line(When, `fleet "commanded" connects evenly over 10s`)
	line(When, `fleet "secure" connects evenly over 10s`)
	line(When, `fleet "sealed" connects evenly over 10s`)
	line(When, `command "blink" is sent to all devices of "commanded"`)
	grows := s.ID == "W5" || s.ID == "A35" // with which a story ends
	if s.ID != "L1" && !grows {
		line(When, `fleet "rooms" connects evenly over 10s`)
		line(When, `20% of "rooms" go offline`)
	}
	if s.ID == "A30" {
		line(When, `phase "calm" runs for 5m`)
	}
	if strings.Contains(s.Example, "rejoins") {
		line(When, "broker node 2 is lost")
	}
	if strings.Contains(s.Example, "from backup") {
		line(When, `"broker" is backed up as "noon"`)
	}
	example(When)
	switch {
	case s.ID == "A35":
		line(When, `fleet "rooms" grows by 500 devices every 10s until an objective breaks:`)
		b.WriteString("      | metric | percentile | limit |\n      | publish | p99 | 1s |\n")
	case !grows && (!strings.Contains(s.Example, `phase "rush" starts`) || s.Keyword == Then):
		line(When, `phase "rush" runs for 5m`)
	}
	line(Then, "the generator kept its schedule within 1s")
	example(Then)
	return b.String()
}

func TestEachExampleCompiles(t *testing.T) {
	dir := t.TempDir()
	models, err := os.ReadFile("testdata/models.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "models.yaml"), string(models))
	for i, s := range Catalogue() {
		path := filepath.Join(dir, fmt.Sprintf("%d.feature", i))
		write(t, path, sampleStory(&s))
		if _, err := Load([]string{path}, Options{}); err != nil {
			t.Errorf("%v\n%s", err, sampleStory(&s))
		}
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What the device engine does at a power loss (TestPowerLossDropsWhatWaited in sim/device) is what the step says.
func TestPowerLossSaysWhatIsDropped(t *testing.T) {
	found := Search(Catalogue(), "lose(s) power")
	if len(found) != 1 {
		t.Fatalf("%d steps", len(found))
	}
	for _, s := range found {
		if !strings.Contains(s.Doc, "Messages in their memory are dropped") {
			t.Errorf("%s: %s", s.Expression, s.Doc)
		}
	}
}

func TestRendering(t *testing.T) {
	steps := Catalogue()
	b, err := JSON(steps)
	if err != nil {
		t.Fatal(err)
	}
	var forms []map[string]string
	if err := json.Unmarshal(b, &forms); err != nil {
		t.Fatal(err)
	}
	if len(forms) != len(steps) {
		t.Errorf("%d forms in JSON, want %d", len(forms), len(steps))
	}
	for name, page := range map[string]string{"text": Text(steps), "markdown": Markdown(steps)} {
		for _, s := range steps {
			if !strings.Contains(page, s.Expression) || !strings.Contains(page, s.Example) || !strings.Contains(page, s.Doc) {
				t.Errorf("%s lacks %q", name, s.Expression)
			}
		}
		if strings.Contains(page, "\x1b") {
			t.Errorf("%s has terminal sequences", name)
		}
	}
}

func TestSearch(t *testing.T) {
	for _, c := range []struct {
		words string
		first string
	}{
		{"reconnect backoff", "F8"},
		{"KILLED stays", "X1"},
		{"a14", "A14"},
		{"no such thing", ""},
	} {
		got := ""
		if found := Search(Catalogue(), c.words); len(found) > 0 {
			got = found[0].ID
		}
		if got != c.first {
			t.Errorf("Search(%q) finds %q first, want %q", c.words, got, c.first)
		}
	}
}
