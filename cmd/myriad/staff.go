package main

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
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/cluster"
	hosts "github.com/myriad-iot/myriad/sim/host"
)

// What is done when a worker is lost.
const (
	lossInvalid  = "invalid"  // the run ends and says so
	lossContinue = "continue" // it goes on without those devices
	lossTakeover = "takeover" // the workers that are left take them over
)

// mustering is how long workers may take to join and to make their devices.
const mustering = 60 * time.Second

// staffing says which processes carry the devices.
type staffing struct {
	workers int // that this command starts; -1: as many as the devices need
	expect  int // that join from elsewhere
	listen  string
	token   string
	onLoss  string
	lease   time.Duration

	patience time.Duration // for workers to join and to make their devices

	sources []string

	prefixes []netip.Prefix

	told io.Writer // where joining is explained
}

func (s *staffing) register(c *cobra.Command) {
	fl := c.Flags()
	fl.IntVar(&s.workers, "workers", -1, "worker processes on this machine; by default as many as the devices need descriptors for")
	fl.IntVar(&s.expect, "expect", 0, "workers that join from other machines: myriad worker --join")
	fl.StringVar(&s.listen, "listen", "", "HOST:PORT where workers from elsewhere join; beyond this machine it is TLS")
	fl.StringVar(&s.token, "token", os.Getenv("MYRIAD_TOKEN"), "token that workers must have (default $MYRIAD_TOKEN, or one that is drawn and printed)")
	fl.StringSliceVar(&s.sources, "source-address", nil, "address or prefix of this machine that devices call from, for targets elsewhere; several, comma-separated")
	fl.DurationVar(&s.patience, "muster", mustering, "how long workers may take to join and to make their devices")
	fl.DurationVar(&s.lease, "lease", cluster.Lease, "how long a worker may go unheard before its devices count as lost")
	fl.StringVar(&s.onLoss, "on-worker-loss", lossInvalid, "invalid: the run ends and is invalid; continue: it goes on without those devices;\ntakeover: the workers that are left connect them again, and what they had sent is neither lost nor delivered")
}

// check refuses what cannot be carried, before anything starts.
func (s *staffing) check(suite *scenarios.Suite, w io.Writer) error {
	s.told = w
	switch {
	case s.expect > 0 && len(suite.Stories) > 1:
		return fmt.Errorf("--expect: workers join for one story, and there are %d: choose one with FILE:LINE", len(suite.Stories))
	case s.onLoss != lossInvalid && s.onLoss != lossContinue && s.onLoss != lossTakeover:
		return fmt.Errorf("--on-worker-loss %q: write invalid, continue or takeover", s.onLoss)
	case s.lease < time.Second:
		return fmt.Errorf("--lease %v: at least 1s", s.lease)
	case s.expect > 0 && s.listen == "":
		return errors.New("--expect: workers have to know where to join: give --listen HOST:PORT")
	case s.workers == 0 && s.expect == 0:
		return errors.New("--workers 0: nobody carries the devices: give --expect and --listen")
	}
	if err := cluster.CheckToken(s.listen, s.token); err != nil {
		return err
	}
	var err error
	if s.prefixes, err = prefixes(s.sources); err != nil {
		return err
	}
	for _, story := range suite.Stories {
		if err := takeable(&story.Plan); err != nil && s.onLoss == lossTakeover {
			return err
		}
		if _, workers := s.plan(&story.Plan); s.expect == 0 && workers > maxLocalWorkers {
			return fmt.Errorf("%s:%d: %d devices need %d workers of %d descriptors each, and one machine carries %d: see myriad doctor",
				story.Plan.Story.URI, story.Plan.Story.Line, story.Plan.Devices(), workers, descriptors(), maxLocalWorkers)
		}
	}
	return nil
}

const maxLocalWorkers = 128

// carries refuses stories that this machine cannot carry, unless other machines carry them.
func (s *staffing) carries(suite *scenarios.Suite) error {
	if s.expect > 0 {
		return nil
	}
	limits := hosts.Read(os.DirFS("/"), runtime.NumCPU())
	for _, story := range suite.Stories {
		if err := fit(limits, &story.Plan); err != nil {
			return fmt.Errorf("%s:%d: %w", story.Plan.Story.URI, story.Plan.Story.Line, err)
		}
	}
	return nil
}

// prefixes reads addresses and prefixes.
func prefixes(list []string) (all []netip.Prefix, err error) {
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if a, e := netip.ParseAddr(text); e == nil {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("--source-address %q: write an address of this machine, such as 192.0.2.7, or a prefix, 192.0.2.0/28", text)
		}
		all = append(all, p)
	}
	return all, nil
}

// plan is the number of shards, and of workers in all, for a plan.
func (s *staffing) plan(p *sim.Plan) (shards, workers int) {
	local := s.workers
	if local < 0 {
		local = max(1, (p.Devices()+cluster.Capacity(descriptors())-1)/cluster.Capacity(descriptors()))
		if s.expect > 0 {
			local = 0
		}
	}
	workers = local + s.expect
	return cluster.Shards(p, workers), workers
}

func descriptors() int { return int(host().Descriptors) }

// self describes this process as a worker.
func self() cluster.Member {
	h := host()
	return cluster.Member{
		Host: h.Name, Pid: os.Getpid(), CPUs: runtime.NumCPU(), Descriptors: int(h.Descriptors),
		Capacity: cluster.Capacity(int(h.Descriptors)),
	}
}

// crew is the workers of one story. To its timeline it is all the devices.
type crew struct {
	*cluster.Coordinator
	children []*child.Process
	reaping  sync.WaitGroup
	threads  int           // of this process before it left cores to the workers
	leaving  time.Duration // how long the devices may take to leave

	stillborn context.CancelCauseFunc // ends the muster
}

// muster opens the bus, starts the local workers and returns when all devices are made.
func (s *staffing) muster(ctx context.Context, dir string, job *cluster.Job, workers int, c cluster.Config) (*crew, error) {
	command, err := again(workerChild)
	if err != nil {
		return nil, err
	}
	job.Lease = s.lease
	c.Job, c.Expect, c.Dir, c.Listen, c.Token, c.Version = *job, workers, dir, s.listen, s.token, version()
	co, err := cluster.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	mustered, stillborn := context.WithCancelCause(ctx)
	defer stillborn(nil)
	w := &crew{Coordinator: co, stillborn: stillborn, threads: runtime.GOMAXPROCS(0), leaving: leaving(job.Plan.Devices())}
	if s.expect > 0 {
		place := co.Place()
		s.invite(&place)
	}
	local := workers - s.expect
	told := order{Place: co.Place(), Sources: s.prefixes, Threads: max(1, w.threads/max(1, local)), Room: roomFor(job.Plan, local)}
	apart := s.apart(job.Plan, workers)
	if local >= w.threads && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, w.threads/2))
	}
	told.SameClock = true
	input, err := json.Marshal(told)
	if err == nil {
		for range local {
			var p *child.Process
			if p, err = child.Start(child.Command{Args: command, Input: input, Apart: apart}); err != nil {
				break
			}
			w.children = append(w.children, p)
			w.reaping.Go(func() { w.reap(p) })
		}
	}
	if err == nil {
		patient, cancel := context.WithTimeout(mustered, s.patience)
		err = co.Muster(patient)
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
func (s *staffing) apart(p *sim.Plan, workers int) bool {
	return workers-s.expect >= runtime.GOMAXPROCS(0) && !embeds(p)
}

// roomFor is the room for garbage of each of so many workers here: all of them together have half of the memory
// that p leaves free. (A heap may double nevertheless while its devices connect.)
func roomFor(p *sim.Plan, local int) uint64 {
	limits := hosts.Read(os.DirFS("/"), runtime.NumCPU())
	free := limits.MemoryAvailable
	if free == 0 {
		return room
	}
	free -= min(free, limits.Memory(needOf(limits, p)))
	return min(room, free/2/uint64(max(1, local)))
}

// embeds reports whether the embedded target serves a fleet of p.
func embeds(p *sim.Plan) bool {
	return slices.ContainsFunc(p.Fleets, func(f sim.Fleet) bool { return p.Target.EmbeddedServes(f.Data().Channel) })
}

// invite tells how workers join from elsewhere.
func (s *staffing) invite(p *cluster.Place) {
	for i, url := range p.Reachable() {
		if i == 0 {
			fmt.Fprintf(s.told, "waiting for %d workers: MYRIAD_TOKEN=%s myriad worker --join %s\n", s.expect, p.Token, url)
		} else {
			fmt.Fprintf(s.told, "or, where that does not lead here: --join %s\n", url)
		}
	}
	if p.Fingerprint != "" {
		fmt.Fprintf(s.told, "fingerprint of the certificate, for --fingerprint: %s\n", p.Fingerprint)
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
		w.stillborn(fmt.Errorf("a worker never joined: %s", reason))
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
	return mustering + time.Duration(devices)*200*time.Microsecond
}

// dismiss ends what is left of the workers, and the bus.
func (w *crew) dismiss() {
	for _, p := range w.children {
		select {
		case <-p.Done():
		case <-time.After(time.Second): // it has said goodbye, or is not worth waiting for
			p.Kill()
		}
	}
	w.reaping.Wait()
	w.Close()
	if w.threads != runtime.GOMAXPROCS(0) {
		runtime.GOMAXPROCS(w.threads)
	}
}

// busDir is where a story's stream is kept while it runs.
func (r *rehearsal) busDir() string {
	return filepath.Join(r.out, render.BusFolder, strconv.Itoa(r.nth))
}

// workerMain is what a local worker's process does. What it needs to know comes on standard input.
func workerMain() int {
	ctx, o, err := ordered(os.Stdin)
	if err == nil {
		if os.Getenv("GOMAXPROCS") == "" {
			runtime.GOMAXPROCS(o.Threads)
		}
		go collectByLoad(ctx, o.Room)
		w := &cluster.Worker{Place: o.Place, Self: self(), Version: version(), Dialer: switchboards(o.Sources), Leaving: child.StepBack}
		err = w.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return exitPassed
}

// order is what a local worker is told.
type order struct {
	cluster.Place
	Sources []netip.Prefix `json:"sources,omitempty"`
	// Threads is the GOMAXPROCS of the worker: with more workers than cores, threads of one process that wake
	// one another cost an eighth of its time, and the target's.
	Threads int    `json:"threads"`
	Room    uint64 `json:"room"` // for garbage while the fleet connects, in bytes
}

// ordered reads the line that a local worker is told, and returns a context that ends with the parent.
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
