package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// childPid finds the process of this test's one Remote.
func childPid(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the child is looked for in /proc, which only Linux has")
	}
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		line, _ := os.ReadFile(name)
		status, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "status"))
		if strings.Contains(string(line), "\x00probe-child\x00") && strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid())) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			return pid
		}
	}
	t.Fatal("this process has no probe-child")
	return 0
}

// A child that was stopped says afterwards for how long; of one that is stopped for long its parent knows while it
// lasts. Nothing of that counts as something that came.
func TestD1_10_AStoppedProbeIsNoticed(t *testing.T) {
	b := startBroker(t, "127.0.0.1:0")
	r, _ := newRemote(b.address)
	var mu sync.Mutex
	var stalls []ledger.Stall
	r.Stalled = func(s ledger.Stall) {
		mu.Lock()
		defer mu.Unlock()
		stalls = append(stalls, s)
	}
	start(t, r)
	pid := childPid(t)
	stopFor := func(d time.Duration, meanwhile func()) (from, to time.Duration) {
		from = r.Clock.Now()
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		time.Sleep(d)
		meanwhile()
		to = r.Clock.Now()
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		return from, to
	}
	const near = 100 * time.Millisecond
	// at is the stall in which the child was stopped at an instant.
	at := func(instant time.Duration) (ledger.Outage, bool) {
		for _, o := range r.Outages() {
			if o.Stalled && o.From < instant && (o.Lasts || o.To > instant) {
				return o, true
			}
		}
		return ledger.Outage{}, false
	}
	over := func(from, to time.Duration) func() bool {
		return func() bool {
			o, ok := at((from + to) / 2)
			return ok && !o.Lasts && o.From < from+near && o.To > to-near && o.Of == 1 && !o.Own
		}
	}
	from, to := stopFor(500*time.Millisecond, func() {})
	eventually(t, "it says so", over(from, to))
	from, to = stopFor(200*time.Millisecond, func() {
		eventually(t, "its parent knows", func() bool {
			l := r.Outages()
			return len(l) > 0 && l[len(l)-1].Stalled && l[len(l)-1].Lasts
		})
	})
	eventually(t, "it is over", over(from, to))
	mu.Lock()
	defer mu.Unlock()
	for _, s := range stalls {
		if s.Of != ledger.PartProbe || s.To <= s.From {
			t.Errorf("%+v", s)
		}
	}
	if len(stalls) < 2 {
		t.Errorf("stalls %+v", stalls)
	}
	if err := r.Drain(t.Context(), 600*time.Millisecond); err != nil { // beats come every 200 ms
		t.Error(err)
	}
}

// A beat that the child had written before it stood does not end the stall that its parent noticed; one of afterwards
// does, and the stall that the child then tells of is the same. It is behind with its reading until a beat says that it
// is not.
func TestD1_10_AStallEndsOnce(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	r := &Remote{noticed: 11 * s, outages: []ledger.Outage{{Of: 1, From: 10 * s, Lasts: true, Stalled: true}}}
	want := func(what string, o ledger.Outage) {
		t.Helper()
		o.Of, o.Stalled = 1, true
		if len(r.outages) != 1 || r.outages[0] != o {
			t.Errorf("%s: %+v", what, r.outages)
		}
	}
	r.runs(10*s+20*ms, false)
	want("an old beat", ledger.Outage{From: 10 * s, Lasts: true})
	r.runs(12*s, true)
	want("a beat", ledger.Outage{From: 10 * s, To: 12 * s, Behind: true})
	r.stalled(9*s+980*ms, 12*s+10*ms)
	want("the child tells", ledger.Outage{From: 9*s + 980*ms, To: 12*s + 10*ms, Behind: true})
	r.runs(12*s+200*ms, true)
	want("it is behind", ledger.Outage{From: 9*s + 980*ms, To: 12*s + 10*ms, Behind: true})
	r.runs(13*s, false)
	want("it has read", ledger.Outage{From: 9*s + 980*ms, To: 12*s + 10*ms, Read: 13 * s})
	r.stalled(14*s, 14*s+200*ms)
	want("too short to count", ledger.Outage{From: 9*s + 980*ms, To: 12*s + 10*ms, Read: 13 * s})
}

// However often the child stands, no more outages are kept than a bound: the last one stands for the rest, and says so.
func TestD1_10_StallsAreBounded(t *testing.T) {
	r := new(Remote)
	for i := range sim.Instant(maxStalls + 7) {
		r.stalled(i*time.Second, i*time.Second+blind)
	}
	last := r.outages[len(r.outages)-1]
	if len(r.outages) != maxStalls || last.Stalls != 8 || last.From != (maxStalls-1)*time.Second || last.To != (maxStalls+6)*time.Second+blind {
		t.Errorf("%d outages, the last %+v", len(r.outages), last)
	}
	last.Behind = false
	if text := last.String(); text != "the probe did not run 8 times from 16m39s to 16m46.25s" {
		t.Error(text)
	}
}
