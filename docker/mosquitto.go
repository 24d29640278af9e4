package docker

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"

	"github.com/moby/moby/client"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/host"
)

const (
	mosquittoName    = "mosquitto"
	mosquittoImage   = "eclipse-mosquitto"
	mosquittoPinned  = "2.0.22"
	mosquittoLocal   = "myriad/mosquitto:local"
	mosquittoConfig  = "/mosquitto/config/mosquitto.conf"
	mosquittoProgram = "/usr/sbin/mosquitto"

	mosquittoCA          = "/mosquitto/config/ca.pem"
	mosquittoCertificate = "/mosquitto/config/certificate.pem"
	mosquittoKey         = "/mosquitto/config/key.pem"
)

//go:embed mosquitto/mosquitto.conf
var mosquittoConf []byte

var mosquittoBanner = regexp.MustCompile(`mosquitto version (\S+)`)

// Mosquitto is Eclipse Mosquitto in a container, configured the same whichever image it comes from.
// It implements [sim.Target] and, with the service "broker", [sim.Breakable].
type Mosquitto struct {
	Options
	// Version is a tag of upstream's image, and then no other will do; or [VersionLocal]; or "",
	// which is upstream's pinned tag if it is here, else the local image if it is here, else
	// upstream's, pulled.
	Version string

	publish bool  // a published port even where the host's network could be shared
	ports   []int // by schemes
	box     *box  // nil unless started
	facts   map[string]string
}

// Start sweeps, then brings the broker up and returns when it accepted a CONNECT. Its errors are
// [sim.NotHealthy]; nothing is left behind then.
func (m *Mosquitto) Start(ctx context.Context) (sim.Endpoints, error) {
	if err := m.start(ctx); err != nil {
		err = errors.Join(err, m.Stop(ctx))
		return nil, &sim.NotHealthy{Target: mosquittoName, Err: err}
	}
	at := make(sim.Endpoints)
	for i, scheme := range m.schemes() {
		at[scheme] = []string{loopback(m.ports[i])}
	}
	return at, nil
}

func (m *Mosquitto) start(ctx context.Context) error {
	if m.Ready == nil {
		return errors.New("docker: Options.Ready is not set")
	}
	if m.box != nil {
		return errors.New("it is started already")
	}
	cli, err := connect(ctx)
	if err != nil {
		return err
	}
	log := m.logger()
	m.box = &box{cli: cli, ready: m.Ready, log: log}
	if err := sweep(ctx, cli, log); err != nil {
		log.Warn("could not remove what an earlier run left behind", "err", err)
	}
	img, err := m.images().find(ctx, cli)
	if err != nil {
		return err
	}
	info, err := cli.Info(ctx, client.InfoOptions{})
	if err != nil {
		return fmt.Errorf("ask the engine about itself: %w", err)
	}
	if m.ports, err = host.FreePorts(len(m.schemes())); err != nil {
		return err
	}
	m.box.port = m.ports[0]
	r := recipe{
		image:   img,
		cmd:     []string{mosquittoProgram, "-c", mosquittoConfig},
		path:    mosquittoConfig,
		ports:   m.ports,
		publish: m.publish || !sharesNetwork(cli.DaemonHost(), info.Info),
		labels:  ownerLabels(m.Run),
	}
	if r.config, r.files, err = m.configure(r); err != nil {
		return err
	}
	if err := m.box.create(ctx, r); err != nil {
		return fmt.Errorf("create container: %w", err)
	}
	log.Debug("starting mosquitto", "container", m.box.id, "image", img.ref, "address", m.box.addr())
	if err := m.box.up(ctx); err != nil {
		return fmt.Errorf("%s: %w", img.ref, err)
	}
	m.facts = m.describe(ctx, r, info.Info.ServerVersion)
	return nil
}

func (m *Mosquitto) images() choice {
	switch m.Version {
	case "":
		return choice{upstream: mosquittoImage + ":" + mosquittoPinned, local: mosquittoLocal}
	case VersionLocal:
		return choice{local: mosquittoLocal}
	}
	return choice{upstream: mosquittoImage + ":" + m.Version}
}

// schemes are those that are served; the first is plain MQTT.
func (m *Mosquitto) schemes() []sim.Scheme {
	list := []sim.Scheme{sim.SchemeMQTT}
	for _, scheme := range m.Schemes {
		if !slices.Contains(list, scheme) {
			list = append(list, scheme)
		}
	}
	return list
}

// configure adds the listeners, and the files that they need. In the host's network they listen on
// loopback only: they ask nobody for a password.
func (m *Mosquitto) configure(r recipe) (config []byte, files map[string][]byte, err error) {
	bind := "127.0.0.1"
	if r.publish {
		bind = "0.0.0.0" // of the container
	}
	config = bytes.Clone(mosquittoConf)
	for i, scheme := range m.schemes() {
		if scheme.Channel() != sim.ChannelMQTT {
			return nil, nil, fmt.Errorf("mosquitto does not speak %q", scheme)
		}
		config = fmt.Appendf(config, "\nlistener %d %s\n", r.ports[i], bind)
		if t := scheme.Transport(); t == sim.TransportWS || t == sim.TransportWSS {
			config = append(config, "protocol websockets\n"...)
		}
		if !scheme.Transport().Secured() {
			continue
		}
		c := m.Certificate
		if len(c.CA) == 0 || len(c.Certificate) == 0 || len(c.Key) == 0 {
			return nil, nil, fmt.Errorf("docker: %s without Options.Certificate", scheme)
		}
		files = map[string][]byte{mosquittoCA: c.CA, mosquittoCertificate: c.Certificate, mosquittoKey: c.Key}
		config = fmt.Appendf(config, "cafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate %v\n",
			mosquittoCA, mosquittoCertificate, mosquittoKey, c.Mutual)
	}
	return config, files, nil
}

func (m *Mosquitto) describe(ctx context.Context, r recipe, engine string) map[string]string {
	facts := map[string]string{
		"address":  m.box.addr(),
		"image":    r.image.ref,
		"image_id": r.image.id,
		"source":   r.image.source,
		"network":  "the host's",
		"engine":   "Docker " + engine,
		"nofile":   strconv.FormatInt(descriptors(), 10),
	}
	if r.publish {
		facts["network"] = "published port"
	}
	if r.image.digest != "" {
		facts["digest"] = r.image.digest
	}
	// The broker's own word: a tag can be moved, and the local image's version is Debian's choice.
	if text, err := m.box.say(ctx, mosquittoProgram, "-h"); err == nil {
		if found := mosquittoBanner.FindStringSubmatch(text); found != nil {
			facts["version"] = found[1]
		}
	}
	return facts
}

// Describe tells kind and name, and once started: address, image, image_id, digest (if it came
// from a registry), source, version, network, engine and nofile.
func (m *Mosquitto) Describe() map[string]string {
	d := map[string]string{"kind": string(sim.TargetContainer), "name": mosquittoName}
	maps.Copy(d, m.facts)
	return d
}

// Stop removes the container whatever its state, also when ctx is over. It may be repeated.
func (m *Mosquitto) Stop(ctx context.Context) error {
	if m.box == nil {
		return nil
	}
	b := m.box
	m.box = nil
	return b.close(ctx)
}

// Handle implements [sim.Breakable]: there is one service, "broker".
func (m *Mosquitto) Handle(service string) (sim.Handle, error) {
	if service != "broker" {
		return nil, fmt.Errorf(`mosquitto has no service %q: there is "broker"`, service)
	}
	return mosquittoHandle{m}, nil
}

// mosquittoHandle breaks the broker, which keeps its port through all of it. Sessions outlive a
// SIGKILL once the broker has written them, every other second.
type mosquittoHandle struct{ m *Mosquitto }

func (h mosquittoHandle) Down(ctx context.Context, kill bool) error {
	return h.do(func(b *box) error { return b.down(ctx, kill) })
}

func (h mosquittoHandle) Up(ctx context.Context) error {
	return h.do(func(b *box) error { return b.up(ctx) })
}

func (h mosquittoHandle) Freeze(ctx context.Context, on bool) error {
	return h.do(func(b *box) error { return b.freeze(ctx, on) })
}

func (h mosquittoHandle) do(act func(*box) error) error {
	if h.m.box == nil {
		return fmt.Errorf("mosquitto is not started: %w", os.ErrProcessDone)
	}
	if err := act(h.m.box); err != nil {
		return fmt.Errorf("mosquitto: %w", err)
	}
	return nil
}
