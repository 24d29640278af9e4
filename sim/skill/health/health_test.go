package health

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/skill"
)

// host keeps what is sent.
type host struct {
	seqs []uint32
	free int
}

func (h *host) Send(_ *skill.Self, seq uint32, _ sim.Instant) bool {
	h.seqs = append(h.seqs, seq)
	return true
}
func (*host) Start(*skill.Self, sim.Role, skill.Errand)          {}
func (*host) Note(sim.Op, sim.Instant, sim.Instant, sim.Outcome) {}
func (h *host) Free() int                                        { return h.free }
func teller(t *testing.T, o sim.Ordinal) (*Teller, *skill.Self, *host) {
	t.Helper()
	f := &sim.Fleet{Name: "rooms", Count: 10, Skills: []sim.Skill{{Name: sim.SkillHealth, Topic: "h", Every: sim.Duration(time.Minute)}}}
	k, err := New(f, 0)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{free: 7}
	body := &skill.Body{Shared: &skill.Shared{Fleet: f, Run: 9}, Host: h, Ordinal: o, Key: sim.DeviceKey(1, 0, o), ID: f.DeviceID(o)}
	return k, &skill.Self{Body: body, State: k.New(), Topic: "h"}, h
}

// told is what a message says.
type told struct {
	ID       string
	Uptime   int
	Battery  float64
	Signal   int
	Connects int
	Free     int
	M        string `json:"_m"`
}

func compose(t *testing.T, k *Teller, s *skill.Self, seq uint32, due sim.Instant) (m told, text string) {
	t.Helper()
	var w skill.Draft
	k.Compose(s, seq, due, &w)
	if err := json.Unmarshal(w.Payload, &m); err != nil {
		t.Fatalf("%s: %v", w.Payload, err)
	}
	if stamp, ok := sim.FindStamp(w.Payload); !ok || stamp != s.Stamp(seq, due) {
		t.Errorf("%s has the stamp %+v", w.Payload, stamp)
	}
	return m, string(w.Payload)
}

func TestHealthSaysWhatTheDeviceWentThrough(t *testing.T) {
	k, s, h := teller(t, 3)
	c := &skill.Course{End: skill.Forever}
	if k.Next(s, c) != skill.Forever {
		t.Error("it is due without power")
	}
	k.Power(s, true, c, 10*time.Second)
	at := k.Next(s, c)
	if at < 10*time.Second || at >= 70*time.Second {
		t.Errorf("the first is due at %v", at)
	}
	k.Link(s, true, false, at)
	k.Do(s, at)
	first, text := compose(t, k, s, 0, at)
	if first.ID != "rooms-3" || first.Uptime != int((at-10*time.Second).Seconds()) || first.Connects != 1 || first.Free != 7 {
		t.Errorf("%+v", first)
	}
	if first.Battery <= 0 || first.Battery > 100 || first.Signal < -106 || first.Signal > -54 {
		t.Errorf("battery %v, signal %v", first.Battery, first.Signal)
	}
	k.Link(s, false, false, at) // what must be sent again is as it was
	k.Link(s, true, true, at)
	h.free = 2
	if _, again := compose(t, k, s, 0, at); again != text {
		t.Errorf("sent again as %s, first as %s", again, text)
	}
	k.Settled(s, 0, at, at, sim.OK)
	next := k.Next(s, c)
	k.Do(s, next)
	if m, _ := compose(t, k, s, 1, next); m.Connects != 2 || m.Free != 2 || next-at != time.Minute {
		t.Errorf("%+v at %v", m, next)
	}
	if n := len(s.State.(*state).kept); n != 1 {
		t.Errorf("%d readings are kept, want that of the message which is not settled", n)
	}
	k.Power(s, false, c, next)
	k.Power(s, true, c, next+30*time.Second)
	later := k.Next(s, c)
	k.Do(s, later)
	if m, _ := compose(t, k, s, 2, later); m.Uptime != int((later - next - 30*time.Second).Seconds()) {
		t.Errorf("%+v: the uptime is not that of the present power", m)
	}
}

func TestHealthFollowsFromTheSeed(t *testing.T) {
	seen := map[float64]bool{}
	for o := range sim.Ordinal(50) {
		key := sim.DeviceKey(1, 0, o)
		b := battery(key, 0)
		if b < 60 || b > 100 || battery(key, 1000*24*time.Hour) != 0 || battery(key, time.Hour) >= b {
			t.Errorf("device %d has %v", o, b)
		}
		seen[b] = true
		again := sim.DeviceKey(1, 0, o)
		if a, b := signal(key, 5), signal(again, 5); a != b {
			t.Error("another signal for the same message")
		}
	}
	if len(seen) < 50 {
		t.Errorf("%d batteries of 50 devices", len(seen))
	}
}
