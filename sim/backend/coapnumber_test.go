package backend

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"

	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// observedBy is a client of stores that notes what it is told of a path, answers included.
type observedBy struct {
	t       *testing.T
	numbers []uint32
	at      []time.Time
	ids     []int32
}

func (o *observedBy) note(m *pool.Message) {
	o.t.Helper()
	n, err := m.Observe()
	if err != nil || n >= 1<<24 {
		o.t.Fatalf("Observe %d, %v", n, err)
	}
	o.numbers, o.at = append(o.numbers, n), append(o.at, time.Now())
}

func (o *observedBy) client() client {
	return client{name: "c", send: func(m *pool.Message) {
		o.note(m)
		o.ids = append(o.ids, m.MessageID())
	}}
}

func (o *observedBy) register(s *store) {
	o.t.Helper()
	r, m := pool.NewMessage(context.Background()), pool.NewMessage(context.Background())
	r.SetCode(codes.GET)
	r.SetToken(message.Token("token"))
	r.SetObserve(0)
	if code := s.get(m, r, o.client(), "/p"); code != codes.Content {
		o.t.Fatalf("registration: %v", code)
	}
	o.note(m)
}

// Each number that a client gets is above the one before, as RFC 7641 section 3.4 compares them: those of
// notifications, of their repetitions, and of the answers to registrations, also after a restart of the
// server and after hours. Nor do message ids come again, which would be taken for copies.
func TestD2_1ObserveNumbersRise(t *testing.T) {
	for _, quiet := range []time.Duration{0, time.Second, time.Minute, 10 * time.Minute, 3 * time.Hour} {
		t.Run(quiet.String(), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				o := &observedBy{t: t}
				var lastIDs []int32
				for restart := range 4 {
					s := new(store)
					o.ids = nil
					o.register(s)
					for i := range 3 {
						o.register(s) // again, and nothing has changed
						for k := range 20 {
							s.put("/p", fmt.Append(nil, restart, i, k), message.TextPlain)
						}
						time.Sleep(notifyFirst)
						s.repeat(time.Now())
					}
					time.Sleep(quiet)
					s.put("/p", []byte("last"), message.TextPlain)
					for _, id := range o.ids[:8] {
						if slices.Contains(lastIDs, id) {
							t.Errorf("message id %d again", id)
						}
					}
					lastIDs = o.ids
					time.Sleep(time.Second) // until it is back
				}
				const half = 1 << 23
				for i := 1; i < len(o.numbers); i++ {
					old, fresh := o.numbers[i-1], o.numbers[i]
					newer := fresh > old && fresh-old < half || fresh < old && old-fresh > half
					if !newer && o.at[i].Sub(o.at[i-1]) <= 128*time.Second {
						t.Errorf("%d after %d, %v later", fresh, old, o.at[i].Sub(o.at[i-1]))
					}
				}
				if len(o.numbers) < 4*(1+3*22+1) {
					t.Errorf("only %d numbers", len(o.numbers))
				}
			})
		})
	}
}
