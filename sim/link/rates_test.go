package link

import (
	"math"
	"net"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Each direction keeps its own rate, of a stream and of datagrams, and the lower ones of two count.
func TestLaneRatesOfDirections(t *testing.T) {
	c := sim.Conditions{Rate: 1000, Delay: sim.Duration(100 * ms)}
	c.Add(&sim.Conditions{Rate: 2000, Down: 500}, never)
	for salt, rate := range map[uint64]float64{sim.SaltUp: 1000, sim.SaltDown: 500} {
		s := spotUnder(always(c))
		for name, put := range map[string]func(l *lane) sim.Instant{
			"stream":    func(l *lane) sim.Instant { _, arrives := l.segment(s, 0, 1000, timeoutLeast); return arrives },
			"datagrams": func(l *lane) sim.Instant { _, arrives, _ := l.datagram(s, 0, 1000); return arrives },
		} {
			l, last := newLane(salt), sim.Instant(0)
			for range 50 {
				last = put(&l)
			}
			if got := 50_000 / (last - 100*ms).Seconds(); math.Abs(got/rate-1) > 0.01 {
				t.Errorf("%s: %v bytes a second, want %v", name, got, rate)
			}
		}
	}
}

func TestRatesAdd(t *testing.T) {
	for _, tt := range []struct{ a, b, want sim.Conditions }{
		{sim.Conditions{}, sim.Conditions{Rate: 10, Down: 20}, sim.Conditions{Rate: 10, Down: 20}},
		{sim.Conditions{Rate: 15}, sim.Conditions{Rate: 10, Down: 20}, sim.Conditions{Rate: 10, Down: 15}},
		{sim.Conditions{Rate: 5}, sim.Conditions{Rate: 10, Down: 20}, sim.Conditions{Rate: 5}},
		{sim.Conditions{Rate: 5, Down: 9}, sim.Conditions{Loss: 0.5}, sim.Conditions{Rate: 5, Down: 9, Loss: 0.5}},
		{sim.Conditions{}, sim.Conditions{Down: 9}, sim.Conditions{Down: 9}},
		{sim.Conditions{Rate: 7, Down: -1}, sim.Conditions{}, sim.Conditions{Rate: 7, Down: -1}},
		{sim.Conditions{}, sim.Conditions{}, sim.Conditions{}},
	} {
		got := tt.a
		got.Add(&tt.b, 0)
		if got != tt.want {
			t.Errorf("%+v and %+v are %+v, want %+v", tt.a, tt.b, got, tt.want)
		}
		if got.Clear() != (tt.want == sim.Conditions{}) {
			t.Errorf("%+v is clear: %v", got, got.Clear())
		}
	}
}

// What goes over a conn takes as long as its direction allows, as both ends see it.
func TestWeatherRatesOfDirections(t *testing.T) {
	w := always(sim.Conditions{Rate: 1000, Down: 4000})
	inWeather(t, w, true, func(t *testing.T, near *weathered, far net.Conn) {
		heard, told := listenTo(far), listenTo(near)
		write(t, near, string(make([]byte, 1000)))
		write(t, far, string(make([]byte, 1000)))
		time.Sleep(10 * time.Second)
		heard.expect(t, string(make([]byte, 1000)), time.Second)
		told.expect(t, string(make([]byte, 1000)), time.Second/4)
	})
}
