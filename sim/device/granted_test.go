package device

import (
	"context"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// stingy is a target that grants subscriptions with a lower QoS than was asked for.
type stingy struct {
	*world
	grants sim.Outcome
}

func (s *stingy) Dial(ctx context.Context, c *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	conv, facts, o := s.world.Dial(ctx, c)
	facts.Granted = s.grants
	return conv, facts, o
}

// What a broker granted is what its receiver is entitled to: messages that it does not give to a subscription of QoS
// 0 are lost as those of QoS 0.
func TestD1_1_TheGrantedQoSIsInTheAccount(t *testing.T) {
	for grants, want := range map[sim.Outcome][3]uint64{sim.OK: {0, 10}, sim.RemarkQoS0: {10}, sim.RemarkQoS1: {0, 10}} {
		bubble.Test(t, func(t *testing.T) {
			f, meters := testFleet(1), testFleet(1)
			f.Bindings[0].MQTT.Subscribe = []sim.Subscription{{Filter: "#", QoS: 1}}
			meters.Name = "others"
			book := ledger.New(&sim.Plan{Fleets: []sim.Fleet{f, meters}}, 1, nobody{})
			w := newWorld()
			b := prepared(t, w, f, &stingy{w, grants})
			b.config.Receiver = func(o sim.Ordinal) *ledger.Receiver { return book.Receiver(0, o) }
			b.launch(all(sim.ActConnect, 0))
			time.Sleep(time.Minute)
			a := book.Account(1, 0, 0)
			for seq := range uint32(10) {
				at := time.Duration(10+seq) * time.Second
				a.Due(seq)
				a.Sent(seq, 1, at)
				a.Acked(seq, at+10*time.Millisecond)
			}
			b.finish()
			found := false
			for _, h := range book.Close(time.Minute, time.Second).Hearings {
				if h.From == 1 && h.Stream == 0 {
					found = true
					if h.LostQoS != want || h.Lost != 10 {
						t.Errorf("granted %v: %+v, want %v", grants, h.Deliveries, want)
					}
				}
			}
			if !found {
				t.Error("nobody heard anything")
			}
		})
	}
}
