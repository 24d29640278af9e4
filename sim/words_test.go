package sim

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

func TestOutcomeNames(t *testing.T) {
	names, classes := map[string]Outcome{}, map[string]Outcome{}
	for o := OK; o < outcomeEnd; o++ {
		if o.Layer() == "" || o.String() == "" || o.Layer()+" "+o.String() != o.Class() {
			t.Errorf("outcome %d has the name %q", uint16(o), o.Class())
		}
		if other, ok := names[o.String()]; ok {
			t.Errorf("outcomes %d and %d are both %q", uint16(o), uint16(other), o)
		}
		if _, ok := classes[o.String()]; ok {
			t.Errorf("%q is a name and a class", o)
		}
		names[o.String()], classes[o.Class()] = o, o
		if (o.Layer() == "local") != o.Local() {
			t.Errorf("%v is of layer %s, but Local is %t", o, o.Layer(), o.Local())
		}
		text, _ := o.MarshalText()
		var back Outcome
		if err := back.UnmarshalText(text); err != nil || back != o {
			t.Errorf("%q read back: %v, %v", text, back, err)
		}
		if back, ok := ParseOutcome(o.String()); !ok || back != o {
			t.Errorf("%q read back: %v, %t", o, back, ok)
		}
	}
	if n := OutcomeNames(); len(n) != int(outcomeEnd)-1-int(LocalDescriptors-RemarkQoS0) || n[0] != DNSFailure.String() {
		t.Errorf("OutcomeNames: %q", n)
	}
	if outcomeEnd.Local() || outcomeEnd.Class() == "" {
		t.Error("an outcome past the end must not count, but must have a name")
	}
	var o Outcome
	if err := o.UnmarshalText([]byte("no such")); err == nil {
		t.Error("no such outcome, and no error")
	}
}

func TestOpNames(t *testing.T) {
	for o := range NumOps {
		if back, ok := ParseOp(o.String()); !ok || back != o {
			t.Errorf("%v read back: %v, %t", o, back, ok)
		}
	}
	if _, ok := ParseOp(NumOps.String()); ok {
		t.Error("NumOps has a name")
	}
	var o Op
	if err := o.UnmarshalText([]byte("speed")); err == nil {
		t.Error("an unknown metric, and no error")
	}
}

func TestDurationText(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		text string
	}{{0, `"0s"`}, {90 * time.Second, `"1m30s"`}, {-time.Millisecond, `"-1ms"`}, {time.Nanosecond, `"1ns"`}} {
		b, err := json.Marshal(Duration(c.d))
		if err != nil || string(b) != c.text {
			t.Errorf("%v: %s, %v, want %s", c.d, b, err, c.text)
		}
		var back Duration
		if err := json.Unmarshal(b, &back); err != nil || back.D() != c.d {
			t.Errorf("%s: %v, %v", b, back, err)
		}
	}
	var d Duration
	for _, bad := range []string{`""`, `"soon"`, `"5"`, `5`} {
		if err := json.Unmarshal([]byte(bad), &d); err == nil {
			t.Errorf("%s is a duration of %v", bad, d)
		}
	}
}

func TestBound(t *testing.T) {
	for _, c := range []struct {
		b     Bound
		value float64
		holds bool
		m     float64
	}{
		{Below, 9, true, 1}, {Below, 10, false, 0}, {Below, 11, false, -1},
		{AtMost, 9, true, 1}, {AtMost, 10, true, 0}, {AtMost, 11, false, -1},
		{Above, 9, false, -1}, {Above, 10, false, 0}, {Above, 11, true, 1},
		{AtLeast, 9, false, -1}, {AtLeast, 10, true, 0}, {AtLeast, 11, true, 1},
		{Exactly, 9, false, -1}, {Exactly, 10, true, 0}, {Exactly, 11, false, -1},
	} {
		if got := c.b.Holds(c.value, 10); got != c.holds {
			t.Errorf("%v is %s 10: %t", c.value, c.b, got)
		}
		got, _ := json.Marshal(c.b.Margin(c.value, 10))
		if want, _ := json.Marshal(c.m); string(got) != string(want) {
			t.Errorf("%v is %s 10: margin %s, want %s", c.value, c.b, got, want)
		}
	}
}

func TestEndpointsSpreadDevices(t *testing.T) {
	e := Endpoints{SchemeMQTT: {"a:1", "b:1"}, SchemeCoAP: {"c:2"}}
	for o, want := range []string{"a:1", "b:1", "a:1"} {
		if got := e.Of(SchemeMQTT, Ordinal(o)); got != want {
			t.Errorf("device %d dials %q, want %q", o, got, want)
		}
	}
	count := map[string]int{}
	for o := range Ordinal(20_000) {
		count[e.Of(SchemeMQTT, o)]++
		if o >= oneByOne && e.Of(SchemeMQTT, o) != e.Of(SchemeMQTT, o/neighbours*neighbours) {
			t.Fatalf("device %d does not call where its neighbours do", o)
		}
	}
	if count["a:1"] != 10_000 || count["b:1"] != 10_000 {
		t.Errorf("%v", count)
	}
	if e.Of(SchemeCoAP, 5) != "c:2" || (Endpoints{}).Of(SchemeMQTT, 1) != "" {
		t.Error("CoAP or no endpoints")
	}
}

func TestFleetWords(t *testing.T) {
	f := Fleet{Name: "rooms", Count: 50, Skills: []Skill{{Name: SkillReport, Topic: "a/{fleet}/{id}/t-{id}/x", Every: Duration(10 * time.Second)}},
		Bindings: []Binding{{Role: RoleData, QoS: 1}}}
	if got := f.Expand(f.Skills[0].Topic, 7); got != "a/rooms/rooms-7/t-rooms-7/x" {
		t.Errorf("topic %q", got)
	}
	if got := f.Streams()[0].Filter(f.Name); got != "a/rooms/+/+/x" {
		t.Errorf("filter %q", got)
	}
	if f.Rate() != 5 || (&Fleet{Count: 5}).Rate() != 0 || f.Data().QoS != 1 {
		t.Error("rate or data binding")
	}
}

func TestZeroPlanRoundTrip(t *testing.T) {
	p, q := Plan{}, Plan{}
	b, err := json.Marshal(&p)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &q); err != nil || !reflect.DeepEqual(p, q) {
		t.Errorf("%s: %v", b, err)
	}
}

func TestD2_2_ByWhoseWord(t *testing.T) {
	s := Duration(time.Second)
	for want, b := range map[string]Binding{
		"they ping after 60s without sending": {Channel: ChannelMQTT},
		"they ping after 10s without sending, and after 20s without hearing, and expect an answer within 5s": {Channel: ChannelMQTT, KeepAlive: 10 * s,
			MQTT: MQTT{Liveness: Liveness{Heard: 20 * s, Answer: 5 * s}}},
		"they do not ping": {Channel: ChannelMQTT, KeepAlive: KeepAliveOff},
		"they notice a dead connection as the paho client does": {Channel: ChannelMQTT, Client: ClientPaho},
		"they notice a dead peer when it answers nothing":       {Channel: ChannelCoAP},
	} {
		if got := b.Word(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A topic with other braces, or a name that looks like a place, stays as it is.
func TestExpandOfOddTexts(t *testing.T) {
	f := &Fleet{Name: "{id}"}
	for text, want := range map[string]string{
		"": "", "a": "a", "{": "{", "{i": "{i", "{x}/{id": "{x}/{id", "{{id}}": "{{id}-3}",
		"{fleet}{id}": "{id}{id}-3", "{id}{id}{fleet}/": "{id}-3{id}-3{id}/", "{ID}": "{ID}",
	} {
		if got := f.Expand(text, 3); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
