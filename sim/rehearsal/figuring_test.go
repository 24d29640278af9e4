package rehearsal

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// candid is a target whose broker tells how often it was asked; it is down at first, and every third time.
type candid struct {
	external
	asked int
}

func (c *candid) Tell(_ context.Context, _ string, told func(string, float64)) error {
	if c.asked++; c.asked%3 == 1 {
		return errors.New("connection refused")
	}
	told("asked", float64(c.asked))
	told("other", 1)
	return nil
}

func claiming(target sim.TargetSpec, names ...string) *sim.Plan {
	p := &sim.Plan{Target: target, Guards: []sim.Check{{Kind: sim.CheckSchedule}}}
	for _, name := range names {
		p.Checks = append(p.Checks, sim.Check{Kind: sim.CheckFigure, Service: "broker", Figure: name})
	}
	return p
}

// A broker is asked each second and once more at the end. That it does not answer fails nothing, and is said once.
func TestFiguring(t *testing.T) {
	nats := sim.TargetSpec{Kind: sim.TargetContainer, Name: "nats"}
	bubble.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c, begun, target := new(clock), new(atomic.Bool), new(candid)
		c.start(time.Now())
		p := claiming(nats, "asked", "asked")
		k := tell(t.Context(), target, p, c, begun, slog.New(slog.NewTextHandler(&log, nil)))
		if k.topics(p) != nil {
			t.Error("NATS tells in topics")
		}
		time.Sleep(2500 * time.Millisecond) // asked at 0, 1 and 2 s
		c.start(time.Now())
		begun.Store(true)
		time.Sleep(3 * time.Second)
		k.end()
		list := k.told()
		if len(list) != 1 || len(list[0].Named) != 1 || !slices.Equal(list[0].Others(), []string{"other"}) {
			t.Fatalf("%+v", list)
		}
		one := list[0].Named[0]
		if target.asked != 7 || one.First != 2 || one.Last != 6 || one.Points[0].At != 0 || one.Points[len(one.Points)-1].At != 2500*time.Millisecond {
			t.Errorf("asked %d times: %+v", target.asked, one)
		}
		if n := strings.Count(log.String(), "is not known"); n != 1 {
			t.Errorf("said %d times: %s", n, &log)
		}
	})
}

// Where no claim wants figures, or none may be judged, nobody is asked; Mosquitto and brokers of yours tell in topics.
func TestFiguringOnlyWhatIsClaimed(t *testing.T) {
	c, begun := new(clock), new(atomic.Bool)
	c.start(time.Now())
	if k := tell(t.Context(), new(candid), claiming(sim.TargetSpec{Kind: sim.TargetContainer, Name: "nats"}), c, begun, nil); k != nil || k.told() != nil || k.topics(nil) != nil {
		t.Errorf("%+v", k)
	}
	p := claiming(sim.TargetSpec{Kind: sim.TargetEmbedded}, "a")
	p.Checks[0].Lacks = "it tells none"
	if named := figuresOf(p); len(named) > 0 {
		t.Errorf("%v", named)
	}
	p = claiming(sim.TargetSpec{Kind: sim.TargetExternal, Endpoints: sim.Endpoints{sim.SchemeMQTT: {"a:1"}}}, "a", "b", "a")
	k := tell(t.Context(), external{p}, p, c, begun, nil)
	defer k.end()
	hear := k.topics(p)
	if hear == nil {
		t.Fatal("nobody hears what a broker of yours tells")
	}
	hear("b", 4)
	if list := k.told(); len(list) != 1 || list[0].Find("b") == nil || list[0].Find("b").Last != 4 {
		t.Errorf("%+v", list)
	}
}
