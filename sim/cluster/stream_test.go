package cluster

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

func testPlan() *sim.Plan {
	return &sim.Plan{Fleets: []sim.Fleet{{Name: "f", Count: 10, Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT, QoS: 1}}}}}
}

// snapshots are those of one shard, whose device sent a message in each second.
func snapshots(t testing.TB, p *sim.Plan, shard, epoch uint32, n int) [][]byte {
	t.Helper()
	r := ledger.NewRecorder(p, shard, epoch)
	var list [][]byte
	for i := range n {
		r.Count(sim.CountSent, 0, 0, sim.Instant(i)*time.Second)
		s := r.Snapshot()
		b, err := encode(&s)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, b)
	}
	return list
}

func TestIntake(t *testing.T) {
	marshal := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	type message struct {
		subject string
		data    []byte
	}
	p := testPlan()
	snaps, next := snapshots(t, p, 3, 0, 4), snapshots(t, p, 3, 1, 2)
	snap := func(i int) message { return message{subjectSnap, snaps[i]} }
	then := func(i int) message { return message{subjectSnap, next[i]} }
	ended := message{prefixDone + "3.1", marshal(closing{Shard: 3, Epoch: 1, Snapshots: 2})}
	done := message{prefixDone + "3.0", marshal(closing{Shard: 3, Snapshots: 4})}
	twice := message{subjectFence, marshal(fence{Epochs: map[int]uint32{3: 2}})}
	fenced := message{subjectFence, marshal(fence{Epochs: map[int]uint32{3: 1}})}
	cases := []struct {
		name     string
		messages []message
		sent     uint64
		gaps     string
		late     int
		bad      bool
	}{
		{"all", []message{snap(0), snap(1), snap(2), snap(3), done}, 4, "[]", 0, false},
		{"doubled", []message{snap(0), snap(1), snap(1), snap(2), snap(3), done, snap(0)}, 4, "[]", 0, false},
		{"late", []message{snap(3), snap(1), done, snap(2), snap(0)}, 4, "[]", 0, false},
		{"lost", []message{snap(0), snap(3), done}, 2, "[{3 0 1 2}]", 0, false},
		{"the last one lost", []message{snap(0), snap(1), snap(2), done}, 3, "[{3 0 3 3}]", 0, false},
		{"all lost", []message{done}, 0, "[{3 0 0 3}]", 0, false},
		{"after the fence", []message{snap(0), snap(1), fenced, snap(2), done}, 2, "[]", 2, false},
		{"taken over", []message{snap(0), snap(1), fenced, then(0), then(1), ended}, 4, "[]", 0, false},
		{"taken over, and the one that was lost wakes up", []message{snap(0), fenced, then(0), snap(1), then(1), done, ended}, 3, "[]", 2, false},
		{"taken over, and that one is lost too", []message{snap(0), fenced, then(0), twice, then(1), ended}, 2, "[]", 2, false},
		{"taken over, and one is missing", []message{snap(0), fenced, then(1), ended}, 2, "[{3 1 0 0}]", 0, false},
		{"in one message", []message{{subjectSnap, slices.Concat(snaps...)}, done}, 4, "[]", 0, false},
		{"in one message, and some are late", []message{fenced, {subjectSnap, slices.Concat(snaps[0], next[0], snaps[1], next[1])}, ended}, 2, "[]", 2, false},
		{"accounts lost", []message{snap(0), {prefixDone + "3.0", marshal(closing{Shard: 3, Snapshots: 1, Pieces: 2})}}, 1, "[]", 0, true},
		{"D5: one piece of the accounts lost", []message{{prefixAcct + "3.0", nil}, {prefixDone + "3.0", marshal(closing{Shard: 3, Pieces: 2})}}, 0, "[]", 0, true},
		{"all pieces of the accounts", []message{{prefixAcct + "3.0", nil}, {prefixAcct + "3.0", nil}, {prefixDone + "3.0", marshal(closing{Shard: 3, Pieces: 2})}}, 0, "[]", 0, false},
		{"damaged", []message{{subjectSnap, snaps[0][:20]}}, 0, "[]", 0, true},
		{"the second one damaged", []message{{subjectSnap, slices.Concat(snaps[0], snaps[1][:20])}}, 0, "[]", 0, true},
		{"of no shard", []message{{prefixDone + "x.0", nil}, {prefixDone + "3", nil}}, 0, "[]", 0, true},
	}
	for _, c := range cases {
		f := reports.NewFold(p)
		in := newIntake(Sinks{Snapshot: f.Add, Accounts: func([]byte) error { return nil }, Whole: f.Expect})
		bad := false
		for _, m := range c.messages {
			bad = in.take(m.subject, m.data) != nil || bad
		}
		sent := uint64(0)
		for _, fr := range f.Frames(0, 5) {
			sent += fr.Sent
		}
		if gaps := fmt.Sprint(f.Gaps()); sent != c.sent || gaps != c.gaps || in.late != c.late || bad != c.bad {
			t.Errorf("%s: sent %d, gaps %s, late %d, error %v", c.name, sent, gaps, in.late, bad)
		}
	}
}

// Whatever comes over the wire, the intake and the fold live.
func FuzzIntake(f *testing.F) {
	p := testPlan()
	for _, b := range snapshots(f, p, 0, 0, 2) {
		f.Add(subjectSnap, b)
	}
	f.Add(prefixDone+"0.0", []byte(`{"snapshots":3}`))
	f.Add(subjectFence, []byte(`{"epochs":{"0":1,"-1":4294967295}}`))
	f.Add(prefixKept+"x", []byte(`{`))
	f.Fuzz(func(t *testing.T, subject string, data []byte) {
		fold := reports.NewFold(p)
		in := newIntake(Sinks{Snapshot: fold.Add, Accounts: func([]byte) error { return nil }})
		_ = in.take(subject, data)
		fold.Gaps()
	})
}
