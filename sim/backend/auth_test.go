package backend

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/auth"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// questions are what an auth service told.
type questions struct {
	mu   sync.Mutex
	seen map[string]int
	last sim.Instant
}

func (q *questions) told(at sim.Instant, kind auth.Kind, answer auth.Answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.seen[string(kind)+" "+string(answer)]++
	q.last = at
}

func (q *questions) count(what string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.seen[what]
}

func guarding(t *testing.T) (*Auth, *questions, *stalls) {
	t.Helper()
	q, all := &questions{seen: make(map[string]int)}, new(stalls)
	a := &Auth{
		Command: []string{os.Args[0], "auth-child"}, Clock: wall{time.Now()}, Told: q.told, Stalled: all.told,
		Users: []auth.Group{{Fleet: "meters", Count: 10, Username: "{id}", Password: "key of {id}"}},
	}
	if err := a.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Stop)
	return a, q, all
}

// asked asks a service as a broker does, and returns its status and its word, or what went wrong.
func asked(a *Auth, limit time.Duration, password string) string {
	client := http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.PostForm(a.URL()+"/user", url.Values{"username": {"meters-3"}, "password": {password}})
	switch {
	case err != nil && strings.Contains(err.Error(), "refused"):
		return "refused"
	case err != nil && strings.Contains(err.Error(), "deadline"):
		return "hangs"
	case err != nil:
		return err.Error()
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	return fmt.Sprint(r.StatusCode, " ", strings.Fields(string(text) + " -")[0])
}

// The service fails in three ways that are not the same, and is as before after each, at the same address. What it was asked
// is counted when it is read: what nobody took is in no count, and what waited is.
func TestAuthFailsInThreeWays(t *testing.T) {
	a, q, all := guarding(t)
	at, ctx := a.URL(), t.Context()
	expect := func(want, password string) {
		t.Helper()
		if got := asked(a, 20*time.Second, password); got != want {
			t.Errorf("it says %s, want %s", got, want)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	expect("200 allow", "key of meters-3")
	expect("200 deny", "key of meters-4")

	do(a.Fail(ctx, true))
	expect("500 the", "key of meters-3")
	do(a.Fail(ctx, false))
	expect("200 allow", "key of meters-3")

	do(a.Freeze(ctx, true))
	early := 0 // answers before all of its threads stood: a signal takes a moment
	eventually(t, "it hangs", func() bool {
		got := asked(a, 300*time.Millisecond, "key of meters-3")
		if got == "200 allow" {
			early++
		}
		return got == "hangs"
	})
	if err := a.Up(ctx); err == nil {
		t.Error("it is up, and frozen")
	}
	do(a.Freeze(ctx, false))
	expect("200 allow", "key of meters-3")

	for _, kill := range []bool{true, false} {
		do(a.Fail(ctx, true)) // which is over when it comes up
		do(a.Down(ctx, kill))
		expect("refused", "key of meters-3")
		if a.Fail(ctx, true) == nil || a.Freeze(ctx, true) == nil {
			t.Error("what is down was broken")
		}
		do(a.Fail(ctx, false))
		do(a.Freeze(ctx, false))
		do(a.Up(ctx))
		do(a.Up(ctx))
		expect("200 allow", "key of meters-3")
	}
	if a.URL() != at {
		t.Errorf("it was at %s, and is at %s", at, a.URL())
	}
	a.Stop()
	for what, want := range map[string]int{"user allowed": 6 + early, "user denied": 1, "user errors": 1} {
		if got := q.count(what); got != want { // one of the six had waited while it was frozen
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	if now := a.Clock.Now(); q.last <= 0 || q.last > now {
		t.Errorf("the last question was at %v, and it is %v", q.last, now)
	}
	if fell := a.Fell(); len(fell) > 0 || all.longest(ledger.PartEmbedded("auth"), 0) > 250*time.Millisecond {
		t.Errorf("%q, %+v", fell, all.list)
	}
	if a.Up(ctx) == nil || a.Down(ctx, true) == nil {
		t.Error("it was stopped for good")
	}
}

// What something else does to the process is Myriad's own trouble, and is said.
func TestAuthThatOthersBreak(t *testing.T) {
	a, _, all := guarding(t)
	time.Sleep(200 * time.Millisecond) // it has begun to look
	pid := a.process.Pid()
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := syscall.Kill(pid, signal); err != nil {
			t.Fatal(err)
		}
		time.Sleep(350 * time.Millisecond)
	}
	eventually(t, "its stall is told", func() bool { return all.longest(ledger.PartEmbedded("auth"), 0) >= 300*time.Millisecond })
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its end is told", func() bool { return len(a.Fell()) == 1 })
	if fell := a.Fell()[0]; !strings.Contains(fell, `the process of "auth" ended by itself`) {
		t.Error(fell)
	}
}

func TestAuthUsesSomething(t *testing.T) {
	a, _, _ := guarding(t)
	ctx, cancel := context.WithCancel(t.Context())
	var most sim.Use
	if err := a.Meter(ctx, func(u sim.Use) { most = u; cancel() }); err != nil || most.Memory < 1<<20 {
		t.Errorf("%+v, %v", most, err)
	}
}
