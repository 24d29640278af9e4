package fleet_test

import (
	"bufio"
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/peers"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// retaining is a plan of meters that retain what they publish each second, and of boards that subscribe later.
func retaining(meters, boards int) *sim.Plan {
	data := sim.Binding{Role: sim.RoleData, Channel: sim.ChannelMQTT, QoS: 1}
	from, to := data, data
	from.MQTT.Retain = true
	to.MQTT.Subscribe = []sim.Subscription{{Filter: "m/+", QoS: 1}}
	model := sim.Model{Name: "meter", Encoding: sim.EncodingJSON, Buffer: sim.Buffer{Capacity: 100}}
	all := func(fleet string) *sim.Selection { return &sim.Selection{Fleet: fleet, All: true} }
	return &sim.Plan{
		Seed: 1,
		Fleets: []sim.Fleet{
			{Name: "meters", Count: meters, Model: model, Bindings: []sim.Binding{from}, Skills: []sim.Skill{{Name: sim.SkillReport, Topic: "m/{id}", Every: sim.Duration(time.Second)}}},
			{Name: "boards", Count: boards, Model: model, Bindings: []sim.Binding{to}},
		},
		Acts: []sim.Act{
			{Kind: sim.ActConnect, Select: all("meters"), Curve: sim.CurveEvenly, Over: sim.Duration(time.Second)},
			{Kind: sim.ActConnect, Select: all("boards"), Curve: sim.CurveEvenly, At: sim.Duration(4 * time.Second), Over: sim.Duration(time.Second)},
			{Kind: sim.ActPhaseRun, Phase: "all", Hold: sim.Duration(12 * time.Second)},
		},
		Checks: []sim.Check{{Kind: sim.CheckLate, From: "meters", Within: sim.Duration(5 * time.Second)}},
	}
}

func lateReads(t *testing.T, p *sim.Plan, devices, far string) ledger.LateReads {
	t.Helper()
	r, ok := settled(t, p, devices, far).Reading(0, 5*time.Second)
	if !ok {
		t.Fatal("nobody asked")
	}
	return r.LateReads
}

// A broker that keeps the last value gives it to each late subscriber, once.
func TestD1_1_LateSubscribersAtRealBrokers(t *testing.T) {
	each(t, func(t *testing.T, broker string) {
		if d := cmp.Diff(ledger.LateReads{Due: 400, Got: 400}, lateReads(t, retaining(20, 20), broker, broker)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
}

// A Mosquitto whose queues are shorter than what it has retained drops the rest without a word.
func TestD1_1_LateSubscribersOfAShortQueue(t *testing.T) {
	t.Parallel()
	broker := peers.Mosquitto(t, anyone+"max_queued_messages 100")
	got := lateReads(t, retaining(600, 20), broker, broker)
	if got.Due != 12_000 || got.Missing < 1000 || got.Got+got.Missing+got.Late != got.Due || got.Stale+got.Twice > 0 {
		t.Errorf("%+v", got)
	}
	t.Logf("%+v", got)
}

// A broker that drops, doubles or keeps old values is found out, and how often.
func TestD1_1_ALiarAboutRetained(t *testing.T) {
	t.Parallel()
	l := &retainedLiar{between: between{broker: startBroker(t)}, first: make(map[string][]byte)}
	got := lateReads(t, retaining(20, 20), l.listen(t, l.serve), l.broker)
	l.mu.Lock()
	defer l.mu.Unlock()
	if want := (ledger.LateReads{Due: 400, Got: 400 - l.dropped - l.old, Missing: l.dropped, Stale: l.old, Twice: l.doubled}); got != want || l.dropped*l.old*l.doubled == 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// retainedLiar stands between devices and a broker. Of the retained messages for boards it drops every fifth, doubles the one
// after it, and gives the meter's first value for the one after that.
type retainedLiar struct {
	between

	mu                       sync.Mutex
	first                    map[string][]byte // the payload that a topic had first
	n, dropped, doubled, old uint64
}

func (m *retainedLiar) serve(device, broker net.Conn) {
	var answers sync.WaitGroup
	answers.Go(func() {
		back(device, broker, func(p []byte) []byte {
			if p[0]>>4 == 3 && p[0]&1 == 1 {
				return m.treat(p)
			}
			return p
		})
	})
	r := bufio.NewReader(device)
	for {
		p, err := packet(r)
		if err != nil {
			break
		}
		if p[0]>>4 == 3 {
			topic, _, payload := parts(p)
			m.mu.Lock()
			if m.first[topic] == nil {
				m.first[topic] = payload
			}
			m.mu.Unlock()
		}
		if _, err := broker.Write(p); err != nil {
			break
		}
	}
	broker.Close()
	answers.Wait()
}

// treat is what the board gets instead of a retained message with QoS 1.
func (m *retainedLiar) treat(p []byte) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n++
	switch topic, id, _ := parts(p); m.n % 5 {
	case 0:
		m.dropped++
		return nil
	case 1:
		m.doubled++
		return append(p, p...)
	case 2:
		m.old++
		body := binary.BigEndian.AppendUint16(nil, uint16(len(topic)))
		body = append(append(append(body, topic...), id...), m.first[topic]...)
		return append(binary.AppendUvarint([]byte{p[0]}, uint64(len(body))), body...) // MQTT's lengths are such varints
	}
	return p
}

// parts are those of a PUBLISH of version 3.1.1 with QoS 1.
func parts(p []byte) (topic string, id, payload []byte) {
	i := 1
	for p[i]&0x80 != 0 {
		i++
	}
	i++
	n := int(binary.BigEndian.Uint16(p[i:]))
	rest := p[i+2+n:]
	return strings.Clone(string(p[i+2 : i+2+n])), rest[:2], rest[2:]
}
