package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/moby/moby/client"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
)

// Target is services in containers. It implements [sim.Target] and [sim.Breakable]. Set the fields
// first and do not change them.
type Target struct {
	Name string // for people: "mosquitto"

	// Containers are started in this order. Version is a tag of the image of the first one, and then no
	// other will do; or [VersionLocal]; or "", which is the container's own tag if that image is here,
	// else the local image if that is here, else the former, pulled.
	Containers []docker.Container
	Version    string

	// Ready asks the service at these endpoints for a whole conversation, CONNECT to CONNACK: an
	// open port alone proves nothing, for Docker's proxy accepts before the service listens. It is
	// called until it returns nil, each time with a context of a few seconds. Required.
	Ready func(ctx context.Context, at sim.Endpoints) error

	// Joined asks the nodes of a cluster whether they are one, each at its own endpoints: what is published at one
	// reaches subscribers at all. It is called like Ready, when each of them is. Required if Containers are a cluster.
	Joined func(ctx context.Context, nodes []sim.Endpoints) error

	// Schemes are served beside the first scheme of each service, which always is. The secured ones need
	// Certificate.
	Schemes     []sim.Scheme
	Certificate docker.Certificate

	Settings []sim.Setting // of the first service, or of each node of a cluster
	Login    sim.Login     // likewise: who Myriad itself is
	Limits   []sim.Limit   // of services, at most one of each

	// Auth is the URL of a service on this machine's loopback that the first service asks who may connect, set at the
	// latest when Start is called; "": it asks nobody. An engine that does not share this machine's network cannot
	// reach it, which is a [sim.Lacks].
	Auth string

	Figures bool            // services are made ready to tell figures of themselves: see [Target.Tell] and [Target.Pages]
	Scrapes []docker.Scrape // of [Prometheus]: what it reads, at addresses of this machine

	// Keep lets the containers outlive this process: nobody sweeps them away. [Standing] finds them again.
	Keep bool

	Run string       // a name for the run, a label of its containers; default is the process's id
	Log *slog.Logger // nil discards

	publish bool        // a published port even where the host's network could be shared
	boxes   []*box      // of the containers; empty unless started
	net     *ownNetwork // of a cluster
	facts   map[string]string
}

// Start sweeps, then brings the services up and returns when all of them are ready. Its errors are
// [sim.NotHealthy], or [sim.Lacks] if the image cannot do what is asked for; nothing is left behind then.
func (t *Target) Start(ctx context.Context) (sim.Endpoints, error) {
	err := t.start(ctx)
	if err == nil {
		at := make(sim.Endpoints)
		for _, b := range t.boxes {
			if b.what.Node == 0 { // else devices come by the balancer
				at = at.Add(b.endpoints())
			}
		}
		return at, nil
	}
	var lacks *sim.Lacks
	stopped := t.Stop(ctx)
	if errors.As(err, &lacks) && stopped == nil {
		return nil, lacks
	}
	return nil, &sim.NotHealthy{Target: t.Name, Err: errors.Join(err, stopped)}
}

func (t *Target) start(ctx context.Context) error {
	if t.Ready == nil {
		return errors.New("engine: Target.Ready is not set")
	}
	if len(t.boxes) > 0 {
		return errors.New("it is started already")
	}
	log := t.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	for i, c := range t.Containers {
		cli, err := connect(ctx)
		if err != nil {
			return err
		}
		b := &box{cli: cli, what: c, ready: t.Ready, log: log}
		t.boxes = append(t.boxes, b)
		if i > 0 {
			continue
		}
		if err := sweep(ctx, cli, log); err != nil {
			log.Warn("could not remove what an earlier run left behind", "err", err)
		}
	}
	for _, stage := range []func(context.Context) error{t.plan, t.wire, t.make, t.begin, t.await, t.join} {
		if err := stage(ctx); err != nil {
			return err
		}
	}
	return nil
}

// plan finds the image of each container, and the ports that it listens at.
func (t *Target) plan(ctx context.Context) error {
	for i, b := range t.boxes {
		version := ""
		if i == 0 || b.what.Node > 0 {
			version = t.Version
		}
		img, err := imagesOf(&b.what, version).find(ctx, b.cli)
		if err != nil {
			return err
		}
		info, err := b.cli.Info(ctx, client.InfoOptions{})
		if err != nil {
			return fmt.Errorf("ask the engine about itself: %w", err)
		}
		publish := t.publish || !sharesNetwork(b.cli.DaemonHost(), info.Info)
		b.recipe = recipe{image: img, publish: publish || b.what.Node > 0, inside: b.what.Node > 0 || publish && t.clustered()}
		if publish && len(t.Scrapes) > 0 {
			return &sim.Lacks{Target: t.Name, What: "a way to Myriad: its container is not in this machine's network (an engine in a virtual machine, or without root). " +
				"Let a Prometheus of yours read what --metrics serves"}
		}
		b.setup = docker.Setup{Bind: docker.Loopback, Certificate: t.Certificate, Self: b.what.Node, Scrapes: t.Scrapes}
		if i == 0 || b.what.Node > 0 {
			b.setup.Settings, b.setup.Login, b.setup.Auth = t.Settings, t.Login, t.Auth
			if t.Auth != "" && b.recipe.publish {
				return &sim.Lacks{Target: t.Name, What: "a way to the auth service: its container is not in this machine's network (an engine in a virtual machine, or without root)"}
			}
		}
		if b.recipe.publish {
			b.setup.Bind = "0.0.0.0" // of the container
		}
		if b.setup.Listeners, b.setup.Private, b.setup.Figures, err = t.listeners(&b.what); err != nil {
			return err
		}
		b.processors, b.memory, b.engine = float64(info.Info.NCPU), info.Info.MemTotal, info.Info.ServerVersion
		b.listeners, b.figures = b.setup.Listeners, b.setup.Figures
		b.recipe.labels = t.keptLabels(ownerLabels(t.Run), b.listeners)
		for _, l := range t.Limits {
			if l.Service == b.what.Service.Name {
				b.most = l
			}
		}
	}
	return nil
}

// make creates the containers, without starting them.
func (t *Target) make(ctx context.Context) error {
	for _, b := range t.boxes {
		var err error
		if b.recipe.files, err = b.what.Files(&b.setup); err != nil {
			return err
		}
		if b.what.Flags != nil {
			b.recipe.flags = b.what.Flags(&b.setup)
		}
		if err := b.create(ctx); err != nil {
			return fmt.Errorf("create container: %w", err)
		}
		b.log.Debug("starting a container", "service", b.what.Service.Name, "container", b.id, "image", b.recipe.image.ref, "address", b.addr())
	}
	return nil
}

// begin starts the nodes of a cluster that wait for each other, at the same time. Other containers start one after the
// other, in await.
func (t *Target) begin(ctx context.Context) error {
	for _, b := range t.boxes {
		if b.what.Node == 0 || b.what.InTurn {
			continue
		}
		if err := b.begin(ctx); err != nil {
			return err
		}
	}
	return nil
}

// await returns when all services are ready.
func (t *Target) await(ctx context.Context) error {
	for _, b := range t.boxes {
		up := b.up
		if b.what.Node > 0 && !b.what.InTurn {
			up = b.await
		}
		if err := up(ctx); err != nil {
			if missing := b.lacking(ctx); missing != "" {
				return &sim.Lacks{Target: t.Name, What: missing + ": the image " + b.recipe.image.ref + " was built without it"}
			}
			if len(t.boxes) > 1 {
				err = fmt.Errorf("%q: %w", b.what.Service.Name, err)
			}
			return fmt.Errorf("%s: %w", b.recipe.image.ref, err)
		}
		t.note(b.describe(ctx), b.what.Service.Name)
	}
	return nil
}

// note keeps the facts of a service, under its name if there are several.
func (t *Target) note(facts map[string]string, service string) {
	if t.facts == nil {
		t.facts = make(map[string]string)
	}
	prefix := ""
	if len(t.Containers) > 1 {
		prefix = service + "."
	}
	for key, value := range facts {
		t.facts[prefix+key] = value
	}
}

// Describe tells kind and name, and of each service that was started: address, image, image_id, digest
// (if it came from a registry), source, version, network, engine and nofile.
func (t *Target) Describe() map[string]string {
	d := map[string]string{"kind": string(sim.TargetContainer), "name": t.Name}
	maps.Copy(d, t.facts)
	return d
}

// Stop removes the containers whatever their state, also when ctx is over. It may be repeated.
func (t *Target) Stop(ctx context.Context) error {
	var errs []error
	for _, b := range slices.Backward(t.boxes) {
		errs = append(errs, b.close(ctx))
	}
	if t.net != nil {
		errs = append(errs, t.net.close(ctx))
	}
	t.boxes, t.net = nil, nil
	return errors.Join(errs...)
}

// Handle implements [sim.Breakable]. A handle keeps the service's port through all of it, and fails when
// the target is not started.
func (t *Target) Handle(service string) (sim.Handle, error) {
	i, err := t.find(service)
	if err != nil {
		return nil, err
	}
	return handle{t, i}, nil
}

// find returns which of the containers a service is.
func (t *Target) find(service string) (int, error) {
	var names []string
	for i := range t.Containers {
		if name := t.Containers[i].Service.Name; name != service {
			names = append(names, fmt.Sprintf("%q", name))
			continue
		}
		return i, nil
	}
	return 0, fmt.Errorf(`%s has no service %q: there is %s`, t.Name, service, strings.Join(names, " and "))
}

// box returns the container of a service of a target that is started.
func (t *Target) box(service string) (*box, error) {
	i, err := t.find(service)
	if err == nil && i >= len(t.boxes) {
		err = t.notStarted()
	}
	if err != nil {
		return nil, err
	}
	return t.boxes[i], nil
}

func (t *Target) notStarted() error {
	return fmt.Errorf("%s is not started: %w", t.Name, os.ErrProcessDone)
}

// handle breaks the i-th service of a target.
type handle struct {
	t *Target
	i int
}

func (h handle) Down(ctx context.Context, kill bool) error {
	return h.do(func(b *box) error { return b.down(ctx, kill) })
}

func (h handle) Up(ctx context.Context) error {
	return h.do(func(b *box) error { return b.up(ctx) })
}

func (h handle) Freeze(ctx context.Context, on bool) error {
	return h.do(func(b *box) error { return b.freeze(ctx, on) })
}

// Limit implements [sim.Limitable].
func (h handle) Limit(ctx context.Context, processors float64) error {
	return h.do(func(b *box) error { return b.limit(ctx, processors) })
}

// LimitMemory implements [sim.Limitable].
func (h handle) LimitMemory(ctx context.Context, bytes int64) error {
	return h.do(func(b *box) error { return b.limitMemory(ctx, bytes) })
}

// Cut implements [sim.Cuttable].
func (h handle) Cut(ctx context.Context, off bool) error {
	return h.do(func(b *box) error { return b.cut(ctx, off) })
}

// Fill implements [sim.Fillable].
func (h handle) Fill(ctx context.Context, full bool) error {
	return h.do(func(b *box) error { return b.fill(ctx, full) })
}

// Save implements [sim.Savable].
func (h handle) Save(ctx context.Context, name string) error {
	return h.do(func(b *box) error { return b.save(ctx, name) })
}

// Restore implements [sim.Savable].
func (h handle) Restore(ctx context.Context, name string) error {
	return h.do(func(b *box) error { return b.restore(ctx, name) })
}

func (h handle) do(act func(*box) error) error {
	if h.i >= len(h.t.boxes) {
		return h.t.notStarted()
	}
	if err := act(h.t.boxes[h.i]); err != nil {
		return fmt.Errorf("%s: %w", h.t.Name, err)
	}
	return nil
}
