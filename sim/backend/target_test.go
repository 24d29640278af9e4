package backend

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

var (
	_ sim.Target    = (*Target)(nil)
	_ sim.Breakable = (*Target)(nil)
	_ sim.Journaled = (*Target)(nil)
)

func children(tg *Target) (list []int) {
	for f := range strings.FieldsSeq(pids(tg)) {
		pid, _ := strconv.Atoi(f)
		list = append(list, pid)
	}
	return list
}

func TestTargetStartStop(t *testing.T) {
	tg := &Target{Command: childCommand(), Brokers: 2, CoAP: true}
	at, err := tg.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(at[sim.SchemeMQTT]) != 2 || len(at[sim.SchemeCoAP]) != 1 || at[sim.SchemeMQTT][0] == at[sim.SchemeMQTT][1] {
		t.Errorf("endpoints: %+v", at)
	}
	pids := children(tg)
	if len(pids) != 3 {
		t.Fatalf("children: %v", pids)
	}
	if _, err := tg.Start(t.Context()); err == nil {
		t.Error("started twice")
	}
	if d := tg.Describe(); d["kind"] != "embedded" || d["mqtt_address"] != strings.Join(at[sim.SchemeMQTT], " ") ||
		!strings.HasPrefix(d["broker"], "mochi 2.") || !strings.HasPrefix(d["coap"], "go-coap ") {
		t.Errorf("described as %v", d)
	}
	h, err := tg.Handle("broker")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tg.Handle("store"); err == nil || !strings.Contains(err.Error(), "broker and coap") {
		t.Errorf("unknown service: %v", err)
	}
	for range 2 {
		if err := tg.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, pid := range pids {
		if s := state(pid); s != 0 {
			t.Errorf("process %d is left in state %c", pid, s)
		}
	}
	if err := h.Up(t.Context()); err == nil {
		t.Error("a stopped target went up")
	}
	if at, err = tg.Start(t.Context()); err != nil || len(at[sim.SchemeMQTT]) != 2 {
		t.Errorf("second start: %v, %v", at, err)
	}
	if err := tg.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTargetNotHealthy(t *testing.T) {
	cases := map[string]struct {
		command []string
		want    string
	}{
		"no such binary": {[]string{"/nonexistent/myriad"}, "no such file"},
		"dies":           {[]string{"sh", "-c", "echo out of luck >&2; exit 3", "sh"}, "out of luck"},
		"talks":          {[]string{"sh", "-c", "echo hello", "sh"}, "not a ready line"},
		"elsewhere":      {[]string{"sh", "-c", "echo '{}'; cat", "sh"}, "without saying where"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tg := &Target{Command: c.command, Brokers: 2}
			_, err := tg.Start(t.Context())
			var sick *sim.NotHealthy
			if !errors.As(err, &sick) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			if _, err := tg.Handle("broker"); err == nil {
				t.Error("a target that did not start has a handle")
			}
		})
	}
}

func TestTargetStartIsCancelled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	tg := &Target{Command: []string{"sh", "-c", "exec sleep 60", "sh"}, CoAP: true} // never ready
	if _, err := tg.Start(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestHandleKillAndUpKeepsPort(t *testing.T) {
	tg := &Target{Brokers: 2, CoAP: true}
	at := target(t, tg)
	for _, name := range []string{"broker", "coap"} {
		for _, kill := range []bool{true, false} {
			h, err := tg.Handle(name)
			if err != nil {
				t.Fatal(err)
			}
			before := children(tg)
			for range 2 { // down when down: nothing happens
				if err := h.Down(t.Context(), kill); err != nil {
					t.Fatal(err)
				}
			}
			if name == "broker" {
				for _, a := range at[sim.SchemeMQTT] {
					if c, err := net.Dial("tcp", a); err == nil {
						_ = c.Close()
						t.Errorf("%s answers while it is down", a)
					}
				}
			}
			if err := h.Freeze(t.Context(), true); err == nil {
				t.Error("froze what is down")
			}
			if err := h.Freeze(t.Context(), false); err != nil {
				t.Errorf("thawing what is down: %v", err)
			}
			for range 2 { // up when up: nothing happens
				if err := h.Up(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := tg.endpoints(); strings.Join(got[sim.SchemeMQTT], " ") != strings.Join(at[sim.SchemeMQTT], " ") || got[sim.SchemeCoAP][0] != at[sim.SchemeCoAP][0] {
				t.Errorf("moved from %v to %v", at, got)
			}
			for i, pid := range children(tg) {
				if other := i == 2; (pid == before[i]) != (other == (name == "broker")) {
					t.Errorf("kill %v of %s: process %d was %d", kill, name, pid, before[i])
				}
			}
		}
	}
	for _, a := range at[sim.SchemeMQTT] {
		mustDial(t, a, "after")
	}
}

func TestHandleFreeze(t *testing.T) {
	tg := &Target{Brokers: 1}
	at := target(t, tg)
	h, _ := tg.Handle("broker")
	c := mustDial(t, at[sim.SchemeMQTT][0], "patient")
	for range 2 {
		if err := h.Freeze(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	pid := children(tg)[0]
	eventually(t, "frozen", func() bool { return state(pid) == 'T' })
	if err := h.Up(t.Context()); err == nil {
		t.Error("up although frozen")
	}
	if err := c.publish("a", payload(stamp(0, 0)), 1); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if pk, err := c.read(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a frozen broker answered: %+v, %v", pk, err)
	}
	for range 2 {
		if err := h.Freeze(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if pk, err := c.read(); err != nil || pk.PacketID != 1 {
		t.Fatalf("after the thaw: %+v, %v", pk, err)
	}
	for _, kill := range []bool{true, false} { // frozen processes can be ended both ways, and stopped
		if err := h.Freeze(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if err := h.Down(t.Context(), kill); err != nil {
			t.Fatal(err)
		}
		if err := h.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Freeze(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	pid = children(tg)[0]
	if err := tg.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := state(pid); s != 0 {
		t.Errorf("left in state %c", s)
	}
}

func TestHandleUpAfterCrash(t *testing.T) {
	tg := &Target{Brokers: 1}
	at := target(t, tg)
	h, _ := tg.Handle("broker")
	m := tg.services[0].members[0]
	if err := syscall.Kill(children(tg)[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-m.process.Done()
	if err := h.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustDial(t, at[sim.SchemeMQTT][0], "again")
}

// D1 row 13: a process that something else than the story ended is told of; one that the story ended is not.
func TestD1_13_FellSaysWhoEndedByItself(t *testing.T) {
	tg := &Target{Brokers: 2, CoAP: true}
	target(t, tg)
	h, err := tg.Handle("coap")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Down(t.Context(), true), h.Up(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := tg.Fell(); got != nil {
		t.Fatalf("%q, and nothing fell", got)
	}
	m := tg.services[0].members[1]
	if err := syscall.Kill(m.process.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for len(tg.Fell()) == 0 { // the test's own time limit ends it
		time.Sleep(time.Millisecond)
	}
	if err := tg.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("process %d of the embedded broker ended by itself: ", m.process.Pid())
	if got := tg.Fell(); len(got) != 1 || !strings.HasPrefix(got[0], want) || !strings.Contains(got[0], "killed") {
		t.Errorf("%q, want %q and that it was killed", got, want)
	}
}

// A storm of publishes is cut short by SIGKILL, three times. What was acknowledged must be on record
// when Down returns.
func TestJournalHoldsWhatWasAcknowledged(t *testing.T) {
	log, clock := newLog(), wall{time.Now()}
	tg := &Target{Brokers: 1}
	tg.Journal(log, clock)
	at := target(t, tg)
	h, _ := tg.Handle("broker")
	const devices = 20
	next := make([]int, devices)
	total := 0
	for range 3 {
		var mu sync.Mutex
		var acked []sim.Stamp
		var wg sync.WaitGroup
		for d := range devices {
			wg.Go(func() {
				c, err := dial(at[sim.SchemeMQTT][0], "storm-"+strconv.Itoa(d))
				if err != nil {
					return
				}
				defer func() { _ = c.Close() }()
				for {
					s := stamp(d, next[d])
					next[d]++
					if c.acked("storm", payload(s), uint16(next[d]%65535)+1) != nil {
						return
					}
					mu.Lock()
					acked = append(acked, s)
					mu.Unlock()
				}
			})
		}
		eventually(t, "1,000 acknowledged", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(acked) > 1000
		})
		if err := h.Down(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		recorded := log.len()
		wg.Wait()
		for _, s := range acked {
			if log.count(s) != 1 {
				t.Fatalf("%+v: acknowledged, and recorded %d times", s, log.count(s))
			}
			if at := log.first[s]; at < 0 || at > clock.Now() {
				t.Fatalf("%+v: recorded at %v", s, at)
			}
		}
		total += len(acked)
		if recorded < total || log.len() != recorded {
			t.Errorf("%d acknowledged, %d recorded when Down returned, %d now", total, recorded, log.len())
		}
		if err := h.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestChildrenEndWithTheirParent(t *testing.T) {
	for _, frozen := range []string{"", "frozen"} {
		t.Run("child "+frozen, func(t *testing.T) {
			parent := exec.Command(os.Args[0], "backend-parent", frozen)
			parent.Stderr = t.Output()
			out, err := parent.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := parent.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			_ = parent.Process.Kill()
			_ = parent.Wait()
			for f := range strings.FieldsSeq(line) {
				pid, _ := strconv.Atoi(f)
				// Whoever adopts orphans may be slow to reap them: a zombie has ended.
				eventually(t, "the child ends", func() bool { s := state(pid); return s == 0 || s == 'Z' })
			}
		})
	}
}

// Without Pdeathsig (another system than Linux) the end of standard input has to be enough.
func TestChildEndsWithItsInput(t *testing.T) {
	for _, scheme := range []sim.Scheme{sim.SchemeMQTT, sim.SchemeCoAP} {
		cmd := exec.Command(os.Args[0], "backend-child")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(stdin, `{"serve":{%q:"127.0.0.1:0"}}`+"\n", scheme)
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", scheme, err)
		}
	}
}

func TestChildRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for _, told := range []string{"", "{}", "{}\n", "serve\n", `{"serve":{"http":"127.0.0.1:0"}}` + "\n", `{"serve":{"mqtt":"nowhere"}}` + "\n",
		`{"serve":{"coap":":x"}}` + "\n", `{"serve":{"mqtt":"` + taken.Addr().String() + `"}}` + "\n"} {
		cmd := exec.Command(os.Args[0], "backend-child")
		cmd.Stdin = strings.NewReader(told)
		out, err := cmd.CombinedOutput()
		if exitCode(err) != 1 || len(out) == 0 {
			t.Errorf("%q: %v, %s", told, err, out)
		}
	}
	if out, err := exec.Command(os.Args[0], "backend-child", "more").CombinedOutput(); exitCode(err) != 1 || !strings.Contains(string(out), "unexpected arguments") {
		t.Errorf("an argument: %v, %s", err, out)
	}
}

// The target serves what the table of services says of it, and nothing else.
func TestServicesAreServed(t *testing.T) {
	known := map[sim.Scheme]bool{}
	for _, s := range sim.EmbeddedServices() {
		for _, scheme := range s.Schemes {
			known[scheme] = true
		}
	}
	for _, scheme := range sim.Schemes() {
		if served := new(Options).field(scheme) != nil; served != known[scheme] {
			t.Errorf("%s: served %v, and the table says %v", scheme, served, known[scheme])
		}
	}
}
