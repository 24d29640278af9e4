package profiles

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// files are what the cases below may mention.
func files(profile string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range map[string]string{
		"lab/p.yaml":     profile,
		"lab/good.csv":   "time, temperature,room temp\n1,20.5,1\n2,21,2\n",
		"lab/cell.csv":   "time,temperature\n1,20.5\n2,n/a\n",
		"lab/nan.csv":    "temperature\n1\nNaN\n",
		"lab/huge.csv":   "temperature\n1e99\n",
		"lab/comma.csv":  "temperature;time\n20,5;1\n",
		"lab/ragged.csv": "a,temperature\n1,2\n3\n",
		"lab/quote.csv":  "temperature\n\"1\n2\n",
		"lab/bare.csv":   "temperature\n1\"2\n",
		"lab/empty.csv":  "",
		"lab/header.csv": "temperature\n",
		"lab/twice.csv":  "temperature,temperature\n1,2\n",
		"up.csv":         "temperature\n7\n",
	} {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	if strings.Contains(profile, "rows.csv") { // it is large
		m["lab/rows.csv"] = &fstest.MapFile{Data: []byte("t\n" + strings.Repeat("1\n", maxRows+1))}
	}
	return m
}

// badCases are profiles that are wrong. What is said of each is in testdata/bad.golden.
func badCases() []struct{ name, text string } {
	model := func(body string) string { return "models:\n  m:\n" + body }
	fleet := func(body string) string { return "fleets:\n  f:\n    count: 5\n    model: sensor\n" + body }
	target := func(body string) string { return "targets:\n  t:\n" + body }
	follows := func(words string) string { return "signals:\n  s: " + words + "\n" }
	return []struct{ name, text string }{
		// The file.
		{"nothing", ""},
		{"only a comment", "# nothing\n"},
		{"null", "~\n"},
		{"a list", "- a\n- b\n"},
		{"a word", "hello\n"},
		{"two documents", "models: {}\n---\nmodels: {}\n"},
		{"bad indentation", "models:\n  m:\n    encoding: json\n   template: x\n"},
		{"a tab", "models:\n\tm: {}\n"},
		{"an open brace", "models: {m: {encoding: json}\n"},
		{"an open quote", "models:\n  m:\n    template: \"abc\n"},
		{"the same name twice", "models:\n  m: {}\n  m: {}\n"},
		{"an unknown section", "model:\n  m: {}\n"},
		{"an empty section", "models:\n"},
		{"a list of models", "models:\n  - m\n"},
		{"a name with spaces", "models:\n  my sensor: {}\n"},
		{"an anchor", "models:\n  m: &base {encoding: json}\n"},
		{"an alias", "models:\n  m: {encoding: json}\n  n: *m\n"},
		{"a merge", "models:\n  m:\n    <<: {encoding: json}\n"},
		{"a well of brackets", "models:\n  m: " + strings.Repeat("[", 1<<19)},
		{"a tag", "models:\n  m: !thing {encoding: json}\n"},
		// Models.
		{"an empty model", "models:\n  m:\n"},
		{"an unknown field", model("    codec: json\n")},
		{"an unknown encoding", model("    encoding: xml\n")},
		{"an encoding that is a list", model("    encoding: [json]\n")},
		{"a template for another encoding", model("    encoding: cbor\n    template: \"{stamp}\"\n")},
		{"a template without a stamp", model("    template: \"t={id}\"\n")},
		{"an unknown placeholder", model("    template: \"{stamp} {temp}\"\n")},
		{"no template", model("    encoding: template\n")},
		{"signals as a list", model("    signals: [a]\n")},
		{"an empty signal", model("    signals:\n      a:\n")},
		{"a signal without a law", model("    signals:\n      a: {unit: Cel}\n")},
		{"a signal with an unknown field", model("    signals:\n      a: {law: sine}\n")},
		{"an unknown signal", model("    signals:\n      a: day-nite\n")},
		{"a reserved name", model("    signals:\n      seq: constant 1\n")},
		{"a name that SenML forbids", model("    encoding: senml+json\n    signals:\n      room temp: constant 1\n")},
		{"a buffer that is a number", model("    buffer: 100\n")},
		{"a buffer without a size", model("    buffer: {drop: oldest}\n")},
		{"a negative buffer", model("    buffer: {messages: -1}\n")},
		{"a buffer that drops all", model("    buffer: {messages: 1, drop: all}\n")},
		// Fleets.
		{"an empty fleet", "fleets:\n  f:\n"},
		{"no count", "fleets:\n  f:\n    model: sensor\n"},
		{"no model", "fleets:\n  f:\n    count: 5\n"},
		{"an unknown model", "fleets:\n  f: {count: 5, model: sensr}\n"},
		{"a negative count", "fleets:\n  f: {count: -5, model: sensor}\n"},
		{"half a device", "fleets:\n  f: {count: 0.5, model: sensor}\n"},
		{"a count in words", "fleets:\n  f: {count: many, model: sensor}\n"},
		{"a misplaced comma", "fleets:\n  f:\n    count: 12,00\n    model: sensor\n"},
		{"a thousand with a point", "fleets:\n  f: {count: 1.000, model: sensor}\n"},
		{"too many devices", "fleets:\n  f: {count: 5000M, model: sensor}\n"},
		{"an unknown protocol", fleet("    protocol: MQTT over DTLS\n")},
		{"QoS 3", fleet("    qos: 3\n")},
		{"CON of MQTT", fleet("    qos: CON\n")},
		{"QoS 1 of CoAP", fleet("    protocol: CoAP\n    qos: QoS 1\n")},
		{"an unknown client", fleet("    client: mosquitto_sub\n")},
		{"a client that is a list", fleet("    client: [paho]\n")},
		{"an unknown credential", fleet("    security: {credential: password}\n")},
		{"an old TLS", fleet("    security: {tls: 1.1}\n")},
		{"half a flag", fleet("    security: {resume: maybe}\n")},
		{"an unknown setting of security", fleet("    security: {key: k.pem}\n")},
		{"a will without a topic", fleet("    mqtt: {will: {payload: gone}}\n")},
		{"a will on a wildcard", fleet("    mqtt: {will: {topic: a/+}}\n")},
		{"a will with QoS 3", fleet("    mqtt: {will: {topic: a, qos: 3}}\n")},
		{"subscriptions that are no list", fleet("    mqtt: {subscribe: a/b}\n")},
		{"a subscription without a filter", fleet("    mqtt: {subscribe: [{qos: 1}]}\n")},
		{"a keep-alive of more than two bytes", fleet("    mqtt: {keep_alive: 1d}\n")},
		{"a keep-alive of parts of a second", fleet("    mqtt: {keep_alive: 1500ms}\n")},
		{"too many aliases", fleet("    mqtt: {topic_aliases: 70000}\n")},
		{"an unknown method", fleet("    coap: {method: GET}\n")},
		{"an odd block size", fleet("    coap: {block_size: 100}\n")},
		{"an empty token", fleet("    coap: {token_size: 0}\n")},
		{"a factor below one", fleet("    coap: {random_factor: 0.5}\n")},
		{"observing a wildcard", fleet("    coap: {observe: [a/+]}\n")},
		{"commands without answers", fleet("    commands: {topic: \"{id}/do\"}\n")},
		{"an unknown QoS", fleet("    qos: best\n")},
		{"a duration without a unit", fleet("    every: 30\n")},
		{"no duration", fleet("    every: often\n")},
		{"an endless duration", fleet("    every: 400d\n")},
		{"no time between reports", fleet("    every: 0s\n")},
		{"a negative session", fleet("    session: -1s\n")},
		{"a session of CoAP", fleet("    protocol: CoAP\n    session: 1h\n")},
		{"a share, not a percentage", fleet("    jitter: 0.1\n")},
		{"too much jitter", fleet("    jitter: 101%\n")},
		{"an empty topic", fleet("    topic: \"\"\n")},
		{"a wildcard", fleet("    topic: a/+/b\n")},
		{"an unknown placeholder of a topic", fleet("    topic: a/{device}\n")},
		{"an unknown policy", fleet("    retry: eager\n")},
		{"half a backoff", fleet("    retry: {from: 1s}\n")},
		{"a backoff that shrinks", fleet("    retry: {from: 10s, to: 1s}\n")},
		{"a backoff with a factor", fleet("    retry: {from: 1s, to: 10s, factor: 3}\n")},
		{"a backoff from nothing", fleet("    retry: {from: 0s, to: 10s}\n")},
		{"two mistakes", fleet("    qos: 7\n    every: 5 years\n")},
		// Targets.
		{"no kind", target("    mqtt: a:1\n")},
		{"an unknown kind", target("    kind: cloud\n")},
		{"an external target without an address", target("    kind: external\n")},
		{"a container without a broker", target("    kind: container\n")},
		{"an embedded target with an address", target("    kind: embedded\n    mqtt: a:1\n")},
		{"a container of an unknown broker", target("    kind: container\n    broker: rabbit\n")},
		{"an external target with a broker", target("    kind: external\n    mqtt: a:1\n    broker: mosquitto\n")},
		{"an address with a password", target("    kind: external\n    mqtt: me:secret@10.0.0.5\n")},
		{"an address without a host", target("    kind: external\n    mqtt: \":1883\"\n")},
		{"an IPv6 address without brackets", target("    kind: external\n    mqtt: ::1\n")},
		{"a port that is none", target("    kind: external\n    coap: \"a:70000\"\n")},
		{"another scheme", target("    kind: external\n    mqtt: mqtts://a:8883\n")},
		{"an empty list of addresses", target("    kind: external\n    mqtt: []\n")},
		{"a bad address in a list", target("    kind: external\n    mqtt: [\"a:1\", \":2\"]\n")},
		// Signals.
		{"no signal", follows("sawtooth from 1 to 2")},
		{"an unfinished sine", follows("sine around 21 by 3")},
		{"a number in words", follows("sine around ten by 3 every 1h")},
		{"a number that is none", follows("constant NaN")},
		{"a large number", follows("constant 1e16")},
		{"a period without a unit", follows("sine around 21 by 3 every 24")},
		{"a period of nothing", follows("step between 0 and 1 every 0s")},
		{"negative noise", follows("constant 21 with noise -1")},
		{"a walk without room", follows("random walk from 5 by 1 between 9 and 3")},
		{"a walk from outside", follows("random walk from 5 by 1 between 6 and 9")},
		{"a step that goes nowhere", follows("step between 1 and 1 every 1s")},
		{"a signal of a signal", "signals:\n  s: {follows: constant 1}\n"},
		// CSV.
		{"no such file", follows("column temperature of none.csv")},
		{"a folder", follows("column temperature of .")},
		{"a way out", follows("column temperature of ../../etc/passwd")},
		{"an absolute path", follows("column temperature of /etc/passwd")},
		{"no such column", follows("column humidity of good.csv")},
		{"a cell in words", follows("column temperature of cell.csv")},
		{"a cell that is not a number", follows("column temperature of nan.csv")},
		{"a cell out of range", follows("column temperature of huge.csv")},
		{"a decimal comma", follows("column temperature of comma.csv")},
		{"a short row", follows("column temperature of ragged.csv")},
		{"an open quote in a cell", follows("column temperature of quote.csv")},
		{"a bare quote", follows("column temperature of bare.csv")},
		{"an empty CSV", follows("column temperature of empty.csv")},
		{"a CSV without rows", follows("column temperature of header.csv")},
		{"a column twice", follows("column temperature of twice.csv")},
		{"too many rows", follows("column t of rows.csv")},
	}
}

func TestBadProfiles(t *testing.T) {
	var got strings.Builder
	seen := map[string]bool{}
	position := regexp.MustCompile(`^lab/p\.yaml:[1-9]\d*:[1-9]\d*: .+: .+$`)
	for _, c := range badCases() {
		if seen[c.name] {
			t.Errorf("two cases are called %q", c.name)
		}
		seen[c.name] = true
		f, err := Load(files(c.text), "lab/p.yaml")
		if err == nil {
			t.Errorf("%s: accepted as %+v", c.name, f)
			continue
		}
		fmt.Fprintln(&got, c.name)
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !position.MatchString(line) {
				t.Errorf("%s: %q is not position: what is wrong: what would be right", c.name, line)
			}
			fmt.Fprintln(&got, "  "+line)
		}
		var e *Error
		if !errors.As(err, &e) || e.File != "lab/p.yaml" {
			t.Errorf("%s: %T is no *Error with the file", c.name, err)
		}
	}
	golden(t, "bad.golden", []byte(got.String()))
}

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("%s:%d differs:\n got %q\nwant %q", name, i+1, g[min(i, len(g)-1)], w[min(i, len(w)-1)])
		}
	}
}
