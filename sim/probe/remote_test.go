package probe

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/journal"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// The child sees what a probe in this process sees, and says the same of when it came: both get a
// message at about the same time, and the child's records keep theirs on their way.
func TestRemoteSeesWhatIsOurs(t *testing.T) {
	b := startBroker(t, "127.0.0.1:0")
	p, near := newProbe(b.address)
	p.RunID++ // its session must have another name: it gets its own messages
	r, away := newRemote(b.address)
	r.Clock, away.clock = p.Clock, near.clock
	start(t, p)
	stop := start(t, r)
	const n = 500
	var want []sim.Stamp
	for i := range n {
		s, text := stamped(uint16(i%2*2), i%10, i)
		other := s
		other.Run++
		want = append(want, s)
		b.say(t, "m/1", text)
		b.say(t, "m/1", string(other.Append(nil)))
	}
	twice, text := stamped(0, 3, n)
	b.say(t, "m/3", text) // the target duplicates: two sightings
	b.say(t, "m/3", text)
	b.say(t, "m/3", "hello")
	eventually(t, "all came", func() bool { return away.len() == n+1 && away.count(twice) == 2 && near.len() == n })
	if err := r.Drain(t.Context(), 30*time.Millisecond); err != nil {
		t.Error(err)
	}
	stop()
	eventually(t, "its session is gone", func() bool { return len(b.sessions()) == 1 })
	if away.len() != n+1 || away.wrong != 0 {
		t.Errorf("%d distinct, %d wrong", away.len(), away.wrong)
	}
	var apart []time.Duration
	for _, s := range want {
		if away.count(s) != 1 {
			t.Errorf("%+v: seen %d times", s, away.count(s))
		}
		other := s
		other.Run++
		apart = append(apart, (near.at[other] - away.at[s]).Abs())
	}
	// Half of them: a process that had to wait for the CPU is late in truth.
	if slices.Sort(apart); apart[n/2] > 20*time.Millisecond {
		t.Errorf("half of the instants are %v apart, or more", apart[n/2])
	}
}

func TestRemoteOutlivesTheBroker(t *testing.T) {
	b := startBroker(t, "127.0.0.1:0")
	r, w := newRemote(b.address)
	stop := start(t, r)
	for round := range 2 {
		b.stop()
		b = startBroker(t, b.address)
		eventually(t, "it is back", func() bool { return len(b.Topics.Subscribers("m/1").Subscriptions) == 1 })
		s, text := stamped(0, 1, round)
		b.say(t, "m/1", text)
		eventually(t, "the subscription works", func() bool { return w.count(s) == 1 })
	}
	b.stop() // and Run ends although the broker is down
	stop()
}

// The child tells when it is away from a broker, as it happens, and the instants are the run's.
func TestRemoteTellsOutages(t *testing.T) {
	stays, b := startBroker(t, "127.0.0.1:0"), startBroker(t, "127.0.0.1:0")
	r, _ := newRemote(stays.address, b.address)
	told := make(chan []ledger.Outage, 10)
	r.Away = func(all []ledger.Outage) { told <- all }
	stop := start(t, r)
	var last []ledger.Outage
	for round := range 2 {
		began := r.Clock.Now()
		b.stop()
		last = <-told
		if o := last[round]; len(last) != round+1 || !o.Lasts || o.Endpoint != b.address || o.Index != 1 || o.Of != 2 || o.From < began || o.Own {
			t.Errorf("while it lasts: %+v, since %v", last, began)
		}
		b = startBroker(t, b.address)
		last = <-told
		if o := last[round]; o.Lasts || o.Resumed || o.To < o.From || o.To > r.Clock.Now() {
			t.Errorf("afterwards: %+v", last)
		}
	}
	stop()
	if got := r.Outages(); len(got) != 2 || got[0] != last[0] || got[1] != last[1] || len(told) > 0 {
		t.Errorf("in the end %+v, want %+v", got, last)
	}
}

// What is not a sighting, and a subscription that comes back, keep the parent waiting.
func TestRemoteHearsOfEverything(t *testing.T) {
	b := startBroker(t, "127.0.0.1:0")
	r, w := newRemote(b.address)
	start(t, r)
	for range 3 {
		before := r.last.Load()
		b.say(t, "m/1", "hello")
		eventually(t, "something came", func() bool { return r.last.Load() > before })
	}
	before := r.last.Load()
	b.stop()
	startBroker(t, b.address)
	eventually(t, "it is back", func() bool { return r.last.Load() > before })
	if w.len() != 0 {
		t.Errorf("seen %v", w.seen)
	}
}

// What came before the end is passed on before Run returns, without any Drain.
func TestRemoteKeepsNothing(t *testing.T) {
	b := startBroker(t, "127.0.0.1:0")
	r, w := newRemote(b.address)
	stop := start(t, r)
	const n = 2000
	for i := range n {
		_, text := stamped(0, i%10, i)
		b.say(t, "m/1", text)
	}
	eventually(t, "all was acknowledged", func() bool {
		for _, c := range b.Clients.GetAll() {
			if c.State.Inflight.Len() > 0 {
				return false
			}
		}
		return true
	})
	stop()
	if w.len() != n {
		t.Errorf("%d of %d", w.len(), n)
	}
}

func TestRemoteWithNothingToSee(t *testing.T) {
	for _, r := range []*Remote{
		{Command: []string{"/nonexistent"}, Plan: &sim.Plan{}, Endpoints: sim.Endpoints{sim.SchemeMQTT: {"127.0.0.1:1"}}},
		{Plan: &sim.Plan{Fleets: []sim.Fleet{mqttFleet("m", "m/{id}")}}},
	} {
		start(t, r)()
	}
}

func TestRemoteFails(t *testing.T) {
	refusing := startBroker(t, "127.0.0.1:0")
	if err := refusing.AddHook(&hook{refuse: true}, nil); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	cases := []struct {
		name, endpoint string
		command        []string
		limit          time.Duration // after which it is told to end
		want           string
	}{
		{"refused", refusing.address, childCommand(), time.Minute, "subscription refused"},
		{"never up", free.Addr().String(), childCommand(), time.Second, "it said: probe: subscribe at"},
		{"no program", refusing.address, []string{"/nonexistent"}, time.Minute, "/nonexistent"},
		{"no command", refusing.address, nil, time.Minute, "no command"},
		{"not a child", refusing.address, append(childCommand(), "what"), time.Minute, `unexpected arguments ["what"]`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, _ := newRemote(c.endpoint)
			r.Command = c.command
			ctx, cancel := context.WithTimeout(t.Context(), c.limit)
			defer cancel()
			if err := r.Run(ctx); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			select {
			case <-r.Ready():
				t.Error("ready")
			default:
			}
		})
	}
}

// A child that dies has not seen the end: Run says so at once, and nobody waits for silence.
func TestRemoteLosesItsChild(t *testing.T) {
	b := startBroker(t, "127.0.0.1:0")
	r, _ := newRemote(b.address)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(t.Context()) }()
	<-r.Ready()
	drained := make(chan error, 1)
	go func() { drained <- r.Drain(t.Context(), time.Hour) }()
	list := childrenOf(t, os.Getpid())
	if len(list) != 1 {
		t.Fatalf("children %v", list)
	}
	if err := syscall.Kill(list[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "ended by itself: signal: killed") {
		t.Errorf("run: %v", err)
	}
	if err := <-drained; err == nil {
		t.Error("drained")
	}
}

// childrenOf are the processes that pid has started and not reaped.
func childrenOf(t *testing.T, pid int) (list []int) {
	t.Helper()
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		child, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		if f := stat(child); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			list = append(list, child)
		}
	}
	return list
}

// stat are the fields of /proc/<pid>/stat from the state on, nil if there is no such process.
func stat(pid int) []string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	_, after, _ := strings.Cut(string(b), ") ")
	return strings.Fields(after)
}

func TestChildEndsWithItsParent(t *testing.T) {
	b := startBroker(t, "127.0.0.1:0")
	for _, frozen := range []bool{false, true} {
		parent := exec.Command(os.Args[0], "probe-parent", b.address)
		parent.Stderr = t.Output()
		out, err := parent.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := parent.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		list := childrenOf(t, parent.Process.Pid)
		if len(list) != 1 {
			t.Fatalf("children %v", list)
		}
		if frozen {
			_ = syscall.Kill(list[0], syscall.SIGSTOP)
		}
		_ = parent.Process.Kill()
		_ = parent.Wait()
		// Whoever adopts orphans may be slow to reap them: a zombie has ended.
		eventually(t, "the child ends", func() bool { f := stat(list[0]); return f == nil || f[0] == "Z" })
	}
}

// Without Pdeathsig (another system than Linux) the end of standard input has to be enough. The child
// leaves no session behind then.
func TestChildEndsWithItsInput(t *testing.T) {
	b := startBroker(t, "127.0.0.1:0")
	cmd := exec.Command(os.Args[0], "probe-child")
	records, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	cmd.ExtraFiles = []*os.File{theirs}
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
	_ = theirs.Close()
	order := `{"RunID":7,"Endpoints":{"mqtt":["` + b.address + `"]},"Fleets":[{"name":"m","count":1,` +
		`"bindings":[{"role":"data","channel":"mqtt"}],"report":{"topic":"m/{id}"}}]}` + "\n"
	if _, err := io.WriteString(stdin, order); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	_ = stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	eventually(t, "no session is left", func() bool { return len(b.sessions()) == 0 })
}

func TestChildRefuses(t *testing.T) {
	for _, input := range []string{"", "{}", "x\n", `{"Fleets":[{}]}` + "\n"} {
		err := watch(bufio.NewReader(strings.NewReader(input)), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "read what to watch") {
			t.Errorf("%q: %v", input, err)
		}
	}
}

// In virtual time: records keep the drain waiting, and those of another run are no sightings.
func TestRemoteDrain(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r, w := newRemote("x")
		w.clock = clock{time.Now()}
		r.Clock = w.clock
		r.prepare()
		in, out := io.Pipe()
		var reading sync.WaitGroup
		reading.Go(func() {
			if err := r.read(in); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Hour)
		go func() {
			j := journal.NewWriter(out, 0)
			for i, id := range []uint32{run, run, ^uint32(run), run, ^uint32(run)} {
				time.Sleep(900 * time.Millisecond)
				j.See(sim.Sighting{Stamp: sim.Stamp{Run: id, Seq: uint32(i)}, At: journal.Clock{}.Now()})
			}
			_ = out.Close()
		}()
		begin := time.Now()
		if err := r.Drain(t.Context(), time.Second); err != nil || time.Since(begin) != 5500*time.Millisecond {
			t.Errorf("drained after %v: %v", time.Since(begin), err)
		}
		reading.Wait()
		if w.len() != 3 || w.wrong != 0 {
			t.Errorf("seen %v, %d wrong", w.seen, w.wrong)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := r.Drain(ctx, time.Second); err == nil {
			t.Error("drained in less than it takes")
		}
	})
}
