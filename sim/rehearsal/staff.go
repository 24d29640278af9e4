package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/cluster"
	"github.com/myriad-iot/myriad/sim/host"
)

// Loss says what is done when a worker is lost.
type Loss string

// The ways to go on, or not.
const (
	LossInvalid  Loss = "invalid"  // the run ends and is invalid
	LossContinue Loss = "continue" // it goes on without those devices
	LossTakeover Loss = "takeover" // the workers that are left take them over
)

// Mustering is how long workers may take to join and to make their devices, when nobody says.
const Mustering = 60 * time.Second

// Staff says which processes carry the devices.
type Staff struct {
	Workers int            // that Run starts on this machine; negative: as many as the devices need
	Expect  int            // that join from elsewhere; a suite has one story then
	Listen  string         // HOST:PORT where those join; empty: this machine's own, on loopback
	Token   string         // that workers must have; empty: one is drawn, and printed to Invite
	OnLoss  Loss           // what is done when a worker is lost
	Lease   time.Duration  // how long a worker may send nothing before its devices count as lost
	Muster  time.Duration  // for workers to join and to make their devices
	Sources []netip.Prefix // addresses of this machine that devices of local workers call from; nil: the kernel's choice
	Invite  io.Writer      // where joining is explained, if Expect is not 0
}

// Check refuses stories that such a staff cannot carry anywhere. The error names the flag of "myriad run" that
// is to be changed.
func (s *Staff) Check(suite *scenarios.Suite) error {
	for _, story := range suite.Stories {
		if inVirtualTime(&story.Plan) { // its devices are in one process
			if s.Expect > 0 {
				return fmt.Errorf("%s:%d: a story in virtual time runs in one process: leave --expect out", story.Plan.Story.URI, story.Plan.Story.Line)
			}
			continue
		}
		if err := takeable(&story.Plan); err != nil && s.OnLoss == LossTakeover {
			return err
		}
		if _, workers := s.plan(&story.Plan); s.Expect == 0 && workers > maxLocalWorkers {
			return fmt.Errorf("%s:%d: %d devices need %d workers of %d descriptors each, and one machine carries %d: see myriad doctor",
				story.Plan.Story.URI, story.Plan.Story.Line, story.Plan.Devices(), workers, Host().Descriptors, maxLocalWorkers)
		}
	}
	return nil
}

const maxLocalWorkers = 128

// Fits refuses stories that this machine is too small for, unless other machines carry them.
func (s *Staff) Fits(suite *scenarios.Suite) error {
	if s.Expect > 0 {
		return nil
	}
	limits := host.Read(os.DirFS("/"), runtime.NumCPU())
	for _, story := range suite.Stories {
		if inVirtualTime(&story.Plan) {
			continue
		}
		if err := fit(limits, &story.Plan); err != nil {
			return fmt.Errorf("%s:%d: %w", story.Plan.Story.URI, story.Plan.Story.Line, err)
		}
	}
	return nil
}

// fit refuses a plan that cannot run on this machine, before anything is started.
func fit(l host.Limits, p *sim.Plan) error {
	n := host.NeedOf(l, p)
	problems := host.Fit(l, n)
	if len(problems) == 0 {
		return nil
	}
	list := []error{fmt.Errorf("%d devices do not fit here; `myriad doctor` tells more", n.Devices())}
	if workers := l.Workers(n); workers > 0 { // else a process has too few descriptors for one device
		list[0] = fmt.Errorf("%d devices need %d workers and do not fit here; `myriad doctor` tells more", n.Devices(), workers)
	}
	for _, p := range problems {
		list = append(list, p)
	}
	return errors.Join(list...)
}

// plan is the number of shards, and of workers in all, for a plan.
func (s *Staff) plan(p *sim.Plan) (shards, workers int) {
	local := s.Workers
	if local < 0 {
		local = max(1, host.Processes(p.Devices()+host.Silent(p), Host().Descriptors))
		if s.Expect > 0 {
			local = 0
		}
	}
	workers = local + s.Expect
	return cluster.Shards(p, workers), workers
}

// self describes this process as a worker.
func self() cluster.Member {
	h := Host()
	return cluster.Member{
		Host: h.Name, Pid: os.Getpid(), CPUs: runtime.NumCPU(), Descriptors: int(h.Descriptors),
		Capacity: host.Carries(h.Descriptors),
	}
}

// crew is the workers of one story. To its timeline it is all the devices.
type crew struct {
	*cluster.Coordinator
	children []*child.Process
	reaping  sync.WaitGroup
	threads  int           // of this process before it left cores to the workers
	leaving  time.Duration // how long the devices may take to leave

	abortMuster context.CancelCauseFunc // ends the muster: a worker ended before it joined
}

// muster opens the bus, starts the local workers and returns when all devices are made.
func (s *Staff) muster(ctx context.Context, pool *child.Pool, dir string, job *cluster.Job, workers int, c cluster.Config) (*crew, error) {
	command, err := again(workerChild)
	if err != nil {
		return nil, err
	}
	job.Lease = s.Lease
	keeper := newKeeper()
	c.Job, c.Expect, c.Dir, c.Listen, c.Token, c.Keeper = *job, workers, dir, s.Listen, s.Token, keeper
	co, err := cluster.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	mustered, abortMuster := context.WithCancelCause(ctx)
	defer abortMuster(nil)
	w := &crew{Coordinator: co, abortMuster: abortMuster, threads: runtime.GOMAXPROCS(0), leaving: leaving(job.Plan.Devices())}
	if s.Expect > 0 {
		place := co.Place()
		s.invite(&place)
	}
	local := workers - s.Expect
	told := order{Place: co.Place(), Version: c.Version, Sources: s.Sources, Threads: max(1, w.threads/max(1, local)), Processes: local + besides, Need: needs(job.Plan)}
	apart := s.apart(job.Plan, workers)
	told.GiveWay = local >= w.threads
	if local >= w.threads && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, w.threads/2))
	}
	told.SameClock = true
	for told.Nth = range local {
		var input []byte
		if input, err = json.Marshal(told); err != nil {
			break
		}
		var p *child.Process
		if p, err = pool.Start(child.Command{Kind: child.Kind{Args: command, Apart: apart}, Input: input}); err != nil {
			break
		}
		keeper.add(p)
		w.children = append(w.children, p)
		w.reaping.Go(func() { w.reap(p) })
	}
	if err == nil {
		patient, cancel := context.WithTimeout(mustered, s.Muster)
		err = co.AwaitWorkers(patient)
		cancel()
		if cause := context.Cause(mustered); cause != nil && ctx.Err() == nil {
			err = cause
		}
	}
	if err != nil {
		w.dismiss()
		return nil, fmt.Errorf("muster the workers: %w", err)
	}
	return w, nil
}

// apart reports whether the processes of a run get sessions of their own, by which Linux shares out the cores
// first. Brokers that run as daemons have theirs: in their parent's, six workers had a seventh of two cores beside
// six of them, and a lag of a second where apart they have a tenth. The embedded brokers are in this session,
// where one worker gets its due. The far end goes with the workers: they leave the coordinator too little, which
// must hear all of them.
func (s *Staff) apart(p *sim.Plan, workers int) bool {
	return workers-s.Expect >= runtime.GOMAXPROCS(0) && !embeds(p)
}

// besides is how many processes of Myriad's may be on this machine beside its workers: the coordinator and the probe.
const besides = 2

// needs is the memory, in bytes, that a plan takes on this machine when all of its devices are connected.
func needs(p *sim.Plan) uint64 {
	limits := host.Read(os.DirFS("/"), runtime.NumCPU())
	return limits.Memory(host.NeedOf(limits, p))
}

// embeds reports whether the embedded target serves a fleet of p.
func embeds(p *sim.Plan) bool {
	return slices.ContainsFunc(conversations(p), func(b *sim.Binding) bool { return p.Target.EmbeddedServes(b.Channel) })
}

// invite tells how workers join from elsewhere.
func (s *Staff) invite(p *cluster.Place) {
	token := p.Token
	if s.Token != "" {
		token = "..." // who gave it knows it; what is printed may be kept
	}
	for i, url := range p.Reachable() {
		if i == 0 {
			fmt.Fprintf(s.Invite, "waiting for %d workers: MYRIAD_TOKEN=%s myriad worker --join %s\n", s.Expect, token, url)
		} else {
			fmt.Fprintf(s.Invite, "or, where that does not lead here: --join %s\n", url)
		}
	}
	if p.Fingerprint != "" {
		fmt.Fprintf(s.Invite, "fingerprint of the certificate, for --fingerprint: %s\n", p.Fingerprint)
	}
}

// reap tells the coordinator when a worker's process has ended before it should.
func (w *crew) reap(p *child.Process) {
	<-p.Done()
	if p.Asked() {
		return
	}
	reason := "its process ended"
	if err := p.Err(); err != nil {
		reason += ": " + err.Error()
	}
	if !w.Lose(self().Host, p.Pid(), reason) {
		w.abortMuster(fmt.Errorf("a worker never joined: %s", reason))
	}
}

// finish waits for what the workers have to ship, and lets them go.
func (w *crew) finish(ctx context.Context) error {
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.leaving)
	err := w.Finish(patience)
	cancel()
	w.dismiss()
	return err
}

// leaving is how long so many devices may take to leave, and workers to ship what is left to ship. All leave at
// once, which costs this machine and the target's about a tenth of a millisecond each.
func leaving(devices int) time.Duration {
	return Mustering + time.Duration(devices)*200*time.Microsecond
}

// dismiss ends what is left of the workers, and the bus.
func (w *crew) dismiss() {
	for _, p := range w.children {
		select {
		case <-p.Done():
		case <-time.After(time.Second): // it has left, or does not answer
			p.Kill()
		}
	}
	w.reaping.Wait()
	w.Close()
	if w.threads != runtime.GOMAXPROCS(0) {
		runtime.GOMAXPROCS(w.threads)
	}
}

// bus is where a story's stream is kept while it runs. Each run of a story has a new one.
func (r *director) bus(story *scenarios.Story) string {
	r.runs[story]++
	return filepath.Join(r.Dir, stream(r.number[story], r.runs[story]))
}

// workerMain is what a local worker's process does. What it needs to know comes on standard input.
func workerMain() int {
	ctx, o, err := ordered(os.Stdin)
	if err == nil {
		if os.Getenv("GOMAXPROCS") == "" {
			runtime.GOMAXPROCS(o.Threads)
		}
		l := &lines{sources: o.Sources}
		w := &cluster.Worker{
			Place: o.Place, Self: self(), Version: o.Version, Dialer: l.dialers, Opener: l.openers, Kept: true,
			Leaving: func() { child.LowerPriority(child.Behind) },
		}
		if o.GiveWay {
			go child.LowerPriority(child.GiveWay)
		}
		go (&collector{nth: o.Nth, processes: o.Processes, need: o.Need, devices: w.Devices}).run(ctx)
		err = w.Run(ctx)
		l.drain()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// order is the input of a local worker, as JSON on one line.
type order struct {
	cluster.Place
	Version string         `json:"version"`
	Sources []netip.Prefix `json:"sources,omitempty"`
	// Threads is the GOMAXPROCS of the worker: with more workers than cores, threads of one process that wake
	// one another cost an eighth of its time, and the target's.
	Threads int `json:"threads"`

	Nth       int    `json:"nth"`       // its place among the workers that are started here, from 0
	GiveWay   bool   `json:"give_way"`  // to the coordinator, the probe and the target, when CPU is short
	Processes int    `json:"processes"` // of Myriad's on this machine, which share its memory
	Need      uint64 `json:"need"`      // see [collector]
}

// ordered reads the order from standard input, and returns a context that ends with the parent process.
func ordered(in io.Reader) (context.Context, order, error) {
	var place order
	line := make([]byte, 0, 1024)
	for b := make([]byte, 1); ; {
		if _, err := in.Read(b); err != nil {
			return nil, place, fmt.Errorf("read the order: %w", err)
		}
		if b[0] == '\n' {
			break
		}
		line = append(line, b[0])
	}
	if err := json.Unmarshal(line, &place); err != nil {
		return nil, place, fmt.Errorf("read the order: %w", err)
	}
	ctx, _ := child.Lifetime(in)
	return ctx, place, nil
}
