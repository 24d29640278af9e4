package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/ledger"
)

const s = time.Second

// service is a service that says what was done to it, and what state it is in.
type service struct {
	began        time.Time
	down, frozen bool
	ended        bool   // it does not survive a full disk
	fail         string // the call that fails
	used         []sim.Power
	log          []string
}

func (v *service) call(name string, p sim.Power) error {
	v.log = append(v.log, fmt.Sprintf("%v %s", time.Since(v.began), name))
	if p != "" && !slices.Contains(v.used, p) {
		v.used = append(v.used, p)
	}
	if v.fail == name {
		return errors.New("stuck")
	}
	return nil
}

func (v *service) Down(ctx context.Context, kill bool) error {
	name, p := "stop", sim.PowerStop
	if kill {
		name, p = "kill", sim.PowerKill
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err := v.call(name, p)
	v.down = err == nil
	return err
}

func (v *service) Up(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err := v.call("up", "")
	v.down = v.down && err != nil
	return err
}

func (v *service) Freeze(ctx context.Context, on bool) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	name := map[bool]string{true: "freeze", false: "thaw"}[on]
	err := v.call(name, sim.PowerFreeze)
	if err == nil {
		v.frozen = on
	}
	return err
}

func (v *service) Limit(ctx context.Context, processors float64) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	name := map[bool]string{true: "limit", false: "free"}[processors > 0]
	err := v.call(name, sim.PowerLimit)
	if err == nil {
		v.frozen = processors > 0
	}
	return err
}

func (v *service) LimitMemory(ctx context.Context, bytes int64) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if bytes == 0 && v.ended {
		return &sim.ServiceEnded{Why: "exit code 137"}
	}
	name := map[bool]string{true: "less", false: "all"}[bytes > 0]
	err := v.call(name, sim.PowerLimit)
	if err == nil {
		v.frozen = bytes > 0
	}
	return err
}

func (v *service) Fill(ctx context.Context, full bool) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !full && v.ended {
		return &sim.ServiceEnded{Why: "no space left"}
	}
	name := map[bool]string{true: "fill", false: "empty"}[full]
	err := v.call(name, sim.PowerFill)
	if err == nil {
		v.frozen = full
	}
	return err
}

func (v *service) Fail(ctx context.Context, on bool) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	name := map[bool]string{true: "err", false: "serve"}[on]
	err := v.call(name, sim.PowerFail)
	if err == nil {
		v.frozen = on
	}
	return err
}

func (v *service) Save(ctx context.Context, name string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if v.ended {
		return &sim.ServiceEnded{Why: "exit code 1"}
	}
	return v.call("save-"+name, sim.PowerSave)
}

func (v *service) Restore(ctx context.Context, name string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !v.down {
		return errors.New("it runs")
	}
	return v.call("restore-"+name, sim.PowerSave)
}

func (v *service) Cut(ctx context.Context, off bool) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	name := map[bool]string{true: "cut", false: "join"}[off]
	err := v.call(name, sim.PowerCut)
	if err == nil {
		v.frozen = off
	}
	return err
}

// run plays a fault of a verb and returns what was told of it.
func run(ctx context.Context, k *Kind, v *service, last time.Duration) (events []ledger.EventKind, err error) {
	v.began = time.Now()
	err = k.Run(ctx, &Scene{
		Fault:  &sim.Fault{Site: sim.SiteService, Name: "broker", Verb: k.Verb, For: sim.Duration(last), Args: map[string]string{ArgProcessors: "0.1", ArgBytes: "7000000", ArgBackup: "noon"}},
		Handle: v, Began: v.began,
		Note: func(kind ledger.EventKind, became string) {
			if became == "" {
				panic("an event without words")
			}
			events = append(events, kind)
		},
	})
	return events, err
}

// ofServices are the faults of services.
func ofServices(t *testing.T) (list []Kind) {
	for _, k := range Kinds() {
		switch {
		case (k.Run == nil) == (k.Do == nil && k.Link == nil) || (k.Site == sim.SiteService) != (k.Run != nil):
			t.Errorf("%+v is a fault of services and of devices, or of neither", k)
		case k.Run != nil:
			list = append(list, k)
		}
	}
	return list
}

// Whatever a fault does, and whether or not it is stopped: it does only what it says that it needs, it takes
// its time, tells how it begins and ends, and leaves a whole service.
func TestEachFault(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range ofServices(t) {
		if found, ok := Find(k.Verb); !ok || found.Verb != k.Verb || seen[k.Verb] || k.Done == "" || len(k.Needs) == 0 {
			t.Errorf("%+v: not found, there twice, or without words or needs", k)
		}
		seen[k.Verb] = true
		if k.Half {
			continue
		}
		for _, stopped := range []time.Duration{0, 1, 500 * time.Millisecond, 5*s + 100*time.Millisecond, time.Hour} {
			bubble.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), stopped)
				defer cancel()
				v := &service{}
				events, err := run(ctx, &k, v, 10*s)
				if err != nil || v.down || v.frozen {
					t.Errorf("%s, stopped after %v: %v, down %v, frozen %v", k.Verb, stopped, err, v.down, v.frozen)
				}
				if took := time.Since(v.began); took != min(stopped, 10*s) {
					t.Errorf("%s, stopped after %v, took %v", k.Verb, stopped, took)
				}
				if slices.ContainsFunc(v.used, func(p sim.Power) bool { return !slices.Contains(k.Needs, p) }) || len(v.used) == 0 {
					t.Errorf("%s used %q and says that it needs %q", k.Verb, v.used, k.Needs)
				}
				if len(events) != 2 {
					t.Errorf("%s told %q", k.Verb, events)
				}
			})
		}
	}
}

// A call that fails ends the fault with its error, and nothing is told of what did not come about.
func TestFaultsThatFail(t *testing.T) {
	for _, k := range ofServices(t) {
		for _, fail := range []string{"stop", "kill", "up", "freeze", "thaw", "limit", "free", "fill", "empty", "cut", "join", "less", "all", "err", "serve", "save-noon", "restore-noon"} {
			bubble.Test(t, func(t *testing.T) {
				v := &service{fail: fail}
				events, err := run(t.Context(), &k, v, 3*s)
				failed := slices.ContainsFunc(v.log, func(line string) bool {
					var at, what string
					_, _ = fmt.Sscan(line, &at, &what)
					return what == fail
				})
				if failed != (err != nil) {
					t.Errorf("%s, when %s fails: %v", k.Verb, fail, err)
				}
				if begins := fail != "up" && fail != "thaw" && fail != "free" && fail != "empty" && fail != "join" && fail != "all" && fail != "serve" && fail != "restore-noon"; failed && (len(events) > 1 || begins && len(events) > 0) {
					t.Errorf("%s, when %s fails, told %q", k.Verb, fail, events)
				}
			})
		}
	}
}

func TestWhatFaultsDo(t *testing.T) {
	for verb, want := range map[string]struct {
		last time.Duration
		log  []string
	}{
		"restart":      {0, []string{"0s stop", "0s up"}},
		"kill":         {40 * s, []string{"0s kill", "40s up"}},
		"freeze":       {1400 * time.Millisecond, []string{"0s freeze", "1.4s thaw"}},
		"squeeze":      {9 * s, []string{"0s limit", "9s free"}},
		"limit-memory": {6 * s, []string{"0s less", "6s all"}},
		"isolate":      {8 * s, []string{"0s cut", "8s join"}},
		"back-up":      {0, []string{"0s save-noon"}},
		"restore":      {3 * s, []string{"0s stop", "0s restore-noon", "3s up"}},
		"fail":         {5 * s, []string{"0s err", "5s serve"}},
		"fill":         {7 * s, []string{"0s fill", "7s empty"}},
		"stutter":      {2100 * time.Millisecond, []string{"0s freeze", "200ms thaw", "1s freeze", "1.2s thaw", "2s freeze", "2.1s thaw"}},
	} {
		bubble.Test(t, func(t *testing.T) {
			k, ok := Find(verb)
			v := &service{}
			if _, err := run(t.Context(), &k, v, want.last); !ok || err != nil || !slices.Equal(v.log, want.log) {
				t.Errorf("%s: %q, %v; want %q", verb, v.log, err, want.log)
			}
		})
	}
	if _, ok := Find("melt"); ok {
		t.Error("there is a fault that is not in the table")
	}
}

// Without a time a disk stays full to the end of the story. What a service does not survive is told, and is no error of
// Myriad's.
func TestFullDisk(t *testing.T) {
	for _, ends := range []bool{false, true} {
		bubble.Test(t, func(t *testing.T) {
			over, cancel := context.WithTimeout(t.Context(), 90*s)
			defer cancel()
			last := ledger.EventServiceFree
			if ends {
				last = ledger.EventServiceDown
			}
			for _, of := range []struct {
				kind  Kind
				lasts time.Duration
				takes time.Duration
			}{{limitMemory(), 10 * s, 10 * s}, {fill(), 0, 80 * s}} {
				v := &service{ended: ends}
				events, err := run(over, &of.kind, v, of.lasts)
				if err != nil || time.Since(v.began) != of.takes || !slices.Equal(events, []ledger.EventKind{ledger.EventServiceLimited, last}) {
					t.Errorf("%s: %v after %v: told %q", of.kind.Verb, err, time.Since(v.began), events)
				}
			}
		})
	}
}

// A service that is lost stays so, whatever becomes of the run, until it is told to come back.
func TestLostAndBack(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		v, gone, back := &service{}, lose(), rejoin()
		over, cancel := context.WithCancel(t.Context())
		cancel()
		for _, step := range []struct {
			kind *Kind
			down bool
			told ledger.EventKind
		}{{&gone, true, ledger.EventServiceDown}, {&back, false, ledger.EventServiceUp}} {
			events, err := run(over, step.kind, v, 0)
			if err != nil || v.down != step.down || !slices.Equal(events, []ledger.EventKind{step.told}) || time.Since(v.began) != 0 {
				t.Errorf("%s: %v, down %v, told %q after %v", step.kind.Verb, err, v.down, events, time.Since(v.began))
			}
		}
		if !slices.Equal(v.used, []sim.Power{sim.PowerKill}) {
			t.Errorf("used %q", v.used)
		}
	})
}

// slow is a service whose freezing takes time.
type slow struct{ *service }

func (v slow) Freeze(ctx context.Context, on bool) error {
	if on {
		time.Sleep(1300 * time.Millisecond)
	}
	return v.service.Freeze(ctx, on)
}

// Pauses that are missed are left out: the service is not frozen more than it is meant to be.
func TestStutterOfASlowTarget(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		v := &service{began: time.Now()}
		err := stutter().Run(t.Context(), &Scene{
			Fault: &sim.Fault{For: sim.Duration(5 * s)}, Handle: slow{v}, Began: v.began, Note: func(ledger.EventKind, string) {},
		})
		want := []string{"1.3s freeze", "1.3s thaw", "3.3s freeze", "3.3s thaw", "5.3s freeze", "5.3s thaw"}
		if err != nil || !slices.Equal(v.log, want) {
			t.Errorf("%q, %v; want %q", v.log, err, want)
		}
	})
}
