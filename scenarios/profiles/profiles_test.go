package profiles

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/payload"
)

const building = `
# All there is to say.
targets:
  lab:
    kind: external
    mqtt: ["10.0.0.5:1883", "mqtt://[::1]", mqtt://b.example:2883, c.example]
    coap: coap://10.0.0.6
  box: {kind: container, broker: mosquitto, version: 2.0.22}
  own: {kind: embedded}
fleets:
  rooms:
    count: 12,000
    model: room
    protocol: mqtt 5
    qos: 1
    every: 1m30s
    topic: sites/{fleet}/{id}/t
    jitter: 10%
    session: 1 day
    retry: PAHO-go-default
  lights: {count: 1.2k, model: sensor, qos: QoS 0, retry: {from: 500ms, to: 1m, jitter: 20%}}
models:
  room:
    signals:
      zulu: {unit: Cel, follows: office}
      alpha: constant 7
      mike: {follows: day-night}
    template: |
      {"z":{zulu},"id":"{id}"}
    buffer: {messages: 50, drop: newest}
  plain: {}
signals:
  office: column temperature of good.csv
  again: office
`

func TestLoad(t *testing.T) {
	f, err := Load(files(building), "lab/p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	office := sim.Signal{Law: sim.LawReplay, Values: []float64{20.5, 21}, Source: "good.csv:temperature"}
	zulu, mike := office, Builtin().Signals["day-night"]
	zulu.Name, zulu.Unit, mike.Name = "zulu", "Cel", "mike"
	paho, _ := sim.RetrySpecimen("paho-go-default")
	seconds := func(n float64) sim.Duration { return sim.Duration(n * float64(time.Second)) }
	want := &File{
		Signals: map[string]sim.Signal{"office": office, "again": office},
		Models: map[string]sim.Model{
			"room": {Name: "room", Encoding: sim.EncodingTemplate, Template: "{\"z\":{zulu},\"id\":\"{id}\"}\n",
				Signals: []sim.Signal{zulu, {Name: "alpha", Law: sim.LawConstant, Mean: 7}, mike},
				Buffer:  sim.Buffer{Capacity: 50, Newest: true}},
			"plain": {Name: "plain", Encoding: sim.EncodingJSON},
		},
		Fleets: map[string]Fleet{
			"rooms": {Count: 12000, Model: "room", Protocol: &sim.Protocol{Channel: sim.ChannelMQTT, Version: "5"}, QoS: &words.Quality{Level: 1}, Every: seconds(90),
				Topic: "sites/{fleet}/{id}/t", Jitter: 0.1, Session: seconds(86400), Retry: &paho, Origin: "lab/p.yaml:11"},
			"lights": {Count: 1200, Model: "sensor", QoS: &words.Quality{Of: sim.ChannelMQTT}, Origin: "lab/p.yaml:21",
				Retry: &sim.Retry{Base: seconds(0.5), Max: seconds(60), Factor: 2, Jitter: 0.2, Stable: seconds(30)}},
		},
		Targets: map[string]sim.TargetSpec{
			"lab": {Kind: sim.TargetExternal, Origin: "lab/p.yaml:4", Endpoints: sim.Endpoints{
				sim.SchemeMQTT: {"10.0.0.5:1883", "[::1]:1883", "b.example:2883", "c.example:1883"}, sim.SchemeCoAP: {"10.0.0.6:5683"}}},
			"box": {Kind: sim.TargetContainer, Name: "mosquitto", Version: "2.0.22", Origin: "lab/p.yaml:8"},
			"own": {Kind: sim.TargetEmbedded, Origin: "lab/p.yaml:9"},
		},
	}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got\n%+v\nwant\n%+v", f, want)
	}
}

func TestFilesAreRelativeToTheProfile(t *testing.T) {
	for _, words := range []string{"column temperature of ../up.csv", `column "room temp" of ./good.csv`} {
		if _, err := Load(files("signals: {s: '"+words+"'}"), "lab/p.yaml"); err != nil {
			t.Errorf("%s: %v", words, err)
		}
	}
	big := fstest.MapFS{"p.yaml": &fstest.MapFile{Data: make([]byte, MaxFile+1)}}
	for name, want := range map[string]string{
		"none.yaml": "none.yaml: no such file",
		".":         ".: a folder, not a file",
		"p.yaml":    "p.yaml: 1048577 bytes are too many: at most 1048576",
	} {
		if _, err := Load(big, name); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

func TestBuiltin(t *testing.T) {
	f := Builtin()
	var names []string
	for name, m := range f.Models {
		names = append(names, name)
		e, err := payload.New(&m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		stamp := sim.Stamp{Run: 1, Seq: 9}
		out := e.Append(nil, &payload.Reading{ID: name + "-1", Stamp: stamp, Seq: 9, Due: time.Hour, Time: time.Unix(1, 0)})
		if s, ok := sim.FindStamp(out); !ok || s != stamp {
			t.Errorf("%s: no stamp in %q", name, out)
		}
		if len(out) > 1024 { // what CoAP carries without blockwise transfer, RFC 7252 section 4.6
			t.Errorf("%s: a payload of %d bytes", name, len(out))
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"light-control", "room-sensor", "sensor", "smart-meter"}) {
		t.Errorf("models %q", names)
	}
	s := f.Models["sensor"]
	if s.Encoding != sim.EncodingJSON || s.Buffer != (sim.Buffer{Capacity: 100}) || len(s.Signals) != 3 ||
		s.Signals[0].Name != "temperature" || s.Signals[1].Name != "humidity" || s.Signals[2].Name != "battery" {
		t.Errorf("sensor is %+v", s)
	}
}

func TestParseSignal(t *testing.T) {
	day := sim.Duration(24 * time.Hour)
	read := func(string) ([]byte, error) { return []byte("\ufefft,room temp\n1, 5e-1 \n2,\"-7\"\n"), nil }
	for text, want := range map[string]sim.Signal{
		"constant 42":                                        {Law: sim.LawConstant, Mean: 42},
		" Constant  -1.5e3 ":                                 {Law: sim.LawConstant, Mean: -1500},
		"constant 42 with noise 0.5":                         {Law: sim.LawConstant, Mean: 42, Noise: 0.5},
		"sine around 21 by 3 every 24h":                      {Law: sim.LawSine, Mean: 21, Amplitude: 3, Period: day},
		"SINE AROUND 21 BY 3 EVERY 1 day WITH NOISE 0.2":     {Law: sim.LawSine, Mean: 21, Amplitude: 3, Period: day, Noise: 0.2},
		"random walk from 50 by 0.5":                         {Law: sim.LawWalk, Mean: 50, Step: 0.5},
		"random walk from 50 by 0.5 between 0 and 100":       {Law: sim.LawWalk, Mean: 50, Step: 0.5, Max: 100},
		"step between 0 and 1 every 10m":                     {Law: sim.LawStep, Max: 1, Period: sim.Duration(10 * time.Minute)},
		"step between -2 and 1 every 5 minutes with noise 1": {Law: sim.LawStep, Min: -2, Max: 1, Noise: 1, Period: sim.Duration(5 * time.Minute)},
		"column t of x.csv":                                  {Law: sim.LawReplay, Values: []float64{1, 2}, Source: "x.csv:t"},
		`column "room temp" of "my x.csv"`:                   {Law: sim.LawReplay, Values: []float64{0.5, -7}, Source: "my x.csv:room temp"},
		"column room temp of my x.csv":                       {Law: sim.LawReplay, Values: []float64{0.5, -7}, Source: "my x.csv:room temp"},
	} {
		got, err := ParseSignal(text, read)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, f := range forms() {
		if _, err := ParseSignal(f.example, func(string) ([]byte, error) { return []byte("temperature\n1\n"), nil }); err != nil {
			t.Errorf("the example %q: %v", f.example, err)
		}
	}
	if _, err := ParseSignal("column a of b.csv", nil); err == nil || err.Error() != "b.csv: a signal cannot read a file here: describe it in words" {
		t.Errorf("without files: %v", err)
	}
	if _, err := ParseSignal(strings.Repeat("x ", 1<<20), nil); err == nil || len(err.Error()) > 1000 {
		t.Error("a page of text makes a page of error")
	}
	wide := func(string) ([]byte, error) { return []byte(strings.Repeat(",", 1<<12)), nil }
	if _, err := ParseSignal("column a of b.csv", wide); err == nil || !strings.HasSuffix(err.Error(), `"", "", and 4077 more`) {
		t.Errorf("a column that many others hide: %v", err)
	}
}

func FuzzParseSignal(f *testing.F) {
	for _, form := range forms() {
		f.Add(form.example, "temperature,a\n1,2\n")
		f.Add(form.words+" "+form.tail, "")
	}
	f.Add("column a of b", strings.Repeat(",", 1<<13))
	f.Add(`column "a b" of x`, "\ufeff\"a b\"\n\"1\n\"\n")
	f.Fuzz(func(t *testing.T, text, data string) {
		s, err := ParseSignal(text, func(string) ([]byte, error) { return []byte(data), nil })
		if err != nil {
			if len(err.Error()) > 20_000+len(text) { // 20 clipped names, of which a byte may become four; the file's name is whole
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		s.Name = "s"
		if err := payload.Validate(&sim.Model{Signals: []sim.Signal{s}}); err != nil {
			t.Fatalf("%q was accepted, but: %v", text, err)
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add(building)
	f.Add(string(builtinYAML))
	for _, c := range badCases() {
		f.Add(c.text)
	}
	base := files("")
	f.Fuzz(func(t *testing.T, text string) {
		fsys := fstest.MapFS{"lab/p.yaml": &fstest.MapFile{Data: []byte(text)}}
		for name, file := range base {
			if name != "lab/p.yaml" {
				fsys[name] = file
			}
		}
		file, err := Load(fsys, "lab/p.yaml")
		if err != nil {
			if first, _, _ := strings.Cut(err.Error(), "\n"); !strings.HasPrefix(first, "lab/p.yaml:") {
				t.Fatalf("no position: %s", first)
			}
			return
		}
		for name, m := range file.Models {
			if err := payload.Validate(&m); err != nil {
				t.Fatalf("model %q was accepted, but: %v", name, err)
			}
		}
		for name, fl := range file.Fleets {
			if fl.Count < 0 || fl.Model == "" || fl.Jitter < 0 || fl.Jitter > 1 || fl.Every < 0 {
				t.Fatalf("fleet %s was accepted: %s", name, fmt.Sprintf("%+v", fl))
			}
		}
	})
}
