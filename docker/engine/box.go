package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tcexec "github.com/testcontainers/testcontainers-go/exec"
	tclog "github.com/testcontainers/testcontainers-go/log"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
)

const (
	startTimeout = 30 * time.Second // from started to ready, if the service says nothing else
	tryTimeout   = 3 * time.Second  // of one call of Ready
	tryPause     = 50 * time.Millisecond
	undoTimeout  = 30 * time.Second // of requests that clean up
	stopSeconds  = 10               // an orderly stop becomes a SIGKILL after that
	maxNoFile    = 1 << 20          // the kernel's default for fs.nr_open: more is refused
)

// box is one service in one container that listens on fixed ports of 127.0.0.1.
type box struct {
	cli       *client.Client
	what      docker.Container
	listeners []docker.Listener
	figures   int                      // the port at which it tells its figures; 0: none
	made      testcontainers.Container // nil before create
	id        string                   // its id; "" before create
	ready     func(ctx context.Context, at sim.Endpoints) error
	log       *slog.Logger

	processors float64   // of the machine
	memory     int64     // likewise, in bytes
	most       sim.Limit // what it may use
	engine     string    // version of Docker

	saved map[string][]byte // backups of its data by their names, each a tar archive

	setup  docker.Setup
	recipe recipe
}

// recipe says what a box's container is made of.
type recipe struct {
	image   image
	flags   []string          // what its command has beside those of the description
	files   map[string][]byte // by path in the container
	publish bool              // else the container is in the host's network
	inside  bool              // it is in a network of its target's own
	place   *place            // where, if it is
	labels  map[string]string
}

// create makes the container of the recipe without starting it.
func (b *box) create(ctx context.Context) error {
	r := &b.recipe
	env := map[string]string{
		"DOCKER_HOST":                  b.cli.DaemonHost(), // the engine that connect found
		"TESTCONTAINERS_RYUK_DISABLED": "true",             // see the package comment
	}
	for name, value := range env {
		if err := os.Setenv(name, value); err != nil { // it reads them nowhere else
			return err
		}
	}
	quiet := debugLog{b.log}
	tclog.SetDefault(quiet) // else it greets on standard error
	var exposed []string    // without one it publishes all that the image names
	bindings := make(network.PortMap)
	for _, port := range b.ports() {
		name := strconv.Itoa(port) + "/tcp"
		exposed = append(exposed, name)
		bindings[network.MustParsePort(name)] = []network.PortBinding{
			{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1}), HostPort: strconv.Itoa(port)},
		}
	}
	var files []testcontainers.ContainerFile
	for path, text := range r.files {
		files = append(files, testcontainers.ContainerFile{Reader: bytes.NewReader(text), ContainerFilePath: path, FileMode: 0o644})
	}
	request := testcontainers.GenericContainerRequest{
		Logger: quiet,
		ContainerRequest: testcontainers.ContainerRequest{
			Image:        r.image.ref,
			Cmd:          append(slices.Clip(b.what.Command), r.flags...),
			Labels:       r.labels,
			ExposedPorts: exposed,
			Files:        files,
			HostConfigModifier: func(h *container.HostConfig) {
				h.Ulimits = []*container.Ulimit{{Name: "nofile", Soft: descriptors(), Hard: descriptors()}}
				if b.most.CPU > 0 {
					h.NanoCPUs = b.nanoCPUs(b.most.CPU)
				}
				h.Memory, h.MemorySwap = b.most.Memory, b.most.Memory // the latter is both together
				if b.most.Disk > 0 {
					h.Tmpfs = map[string]string{b.what.Data: fmt.Sprintf("size=%d,mode=1777", b.most.Disk)}
				}
				if !r.publish {
					h.NetworkMode = "host"
					return
				}
				h.PortBindings = bindings
				if r.place != nil {
					r.place.host(h)
				}
			},
		},
	}
	if r.place != nil {
		r.place.settle(&request.ContainerRequest)
	}
	c, err := testcontainers.GenericContainer(ctx, request)
	if c != nil {
		b.made, b.id = c, c.GetContainerID() // also after an error: it must be removed
	}
	return err
}

// ports are those that are dialled from this machine.
func (b *box) ports() []int {
	var list []int
	for _, l := range b.listeners {
		list = append(list, l.Port)
	}
	if b.figures > 0 {
		list = append(list, b.figures)
	}
	return list
}

// descriptors is the limit to ask for: what this process may have at most. An engine that is
// itself confined refuses a container more than it has, and it usually has the same.
func descriptors() int64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int64(min(limit.Max, maxNoFile))
}

// addr is where the service listens for its first scheme.
func (b *box) addr() string { return loopback(b.listeners[0].Port) }

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// up starts the container and returns when the service in it is ready.
func (b *box) up(ctx context.Context) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	return b.await(ctx)
}

// begin starts the container.
func (b *box) begin(ctx context.Context) error {
	if _, err := b.cli.ContainerStart(ctx, b.id, client.ContainerStartOptions{}); err != nil {
		return fmt.Errorf("start container: %w", err)
	}
	return nil
}

// await returns when the service in the container, which is started, is ready.
func (b *box) await(ctx context.Context) error {
	limit := b.patience()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not ready within %v", limit))
	defer cancel()
	for {
		try, done := context.WithTimeout(ctx, tryTimeout)
		err := b.ready(try, b.endpoints())
		done()
		if err == nil {
			return nil
		}
		state, inspectErr := b.cli.ContainerInspect(ctx, b.id, client.ContainerInspectOptions{})
		if inspectErr == nil && !state.Container.State.Running {
			return fmt.Errorf("it ended with exit code %d: %s", state.Container.State.ExitCode, b.lastWords(ctx))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w at %s: %w; its log: %s", context.Cause(ctx), b.addr(), err, b.lastWords(ctx))
		case <-time.After(tryPause):
		}
	}
}

// patience is how long the service may take to be ready.
func (b *box) patience() time.Duration { return cmp.Or(b.what.Slow, startTimeout) }

// down ends the service and returns when it has ended.
func (b *box) down(ctx context.Context, kill bool) error {
	var err error
	if kill {
		_, err = b.cli.ContainerKill(ctx, b.id, client.ContainerKillOptions{Signal: "SIGKILL"})
	} else {
		seconds := stopSeconds
		_, err = b.cli.ContainerStop(ctx, b.id, client.ContainerStopOptions{Timeout: &seconds})
	}
	if err != nil {
		return fmt.Errorf("end container: %w", err)
	}
	w := b.cli.ContainerWait(ctx, b.id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case <-w.Result:
		return nil
	case err := <-w.Error:
		return fmt.Errorf("wait for container's end: %w", err)
	}
}

func (b *box) freeze(ctx context.Context, on bool) error {
	var err error
	if on {
		_, err = b.cli.ContainerPause(ctx, b.id, client.ContainerPauseOptions{})
	} else {
		_, err = b.cli.ContainerUnpause(ctx, b.id, client.ContainerUnpauseOptions{})
	}
	if err != nil {
		return fmt.Errorf("freeze container: %w", err)
	}
	return nil
}

// limit lets the container have so many processors, or 0 for what it was made with. Docker takes a limit away from no
// container that was made with one or got one: all of the machine's processors are as much as none.
func (b *box) limit(ctx context.Context, processors float64) error {
	to := cmp.Or(processors, b.most.CPU, b.processors)
	_, err := b.cli.ContainerUpdate(ctx, b.id, client.ContainerUpdateOptions{Resources: &container.Resources{NanoCPUs: b.nanoCPUs(to)}})
	if err != nil {
		return fmt.Errorf("limit container: %w", err)
	}
	return nil
}

// nanoCPUs are processors in Docker's unit. It refuses more than the machine has.
func (b *box) nanoCPUs(processors float64) int64 {
	return int64(math.Round(min(processors, b.processors) * 1e9))
}

// close removes the container, even when ctx is over, and says goodbye to the engine.
func (b *box) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	var err error
	if b.id != "" {
		err = remove(ctx, b.cli, b.id)
	}
	return errors.Join(err, b.cli.Close())
}

// say runs a command in the container and returns what it wrote, whatever its exit code.
func (b *box) say(ctx context.Context, command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	_, r, err := b.made.Exec(ctx, command, tcexec.Multiplexed())
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	return string(text), err
}

// colors are what programs write for terminals.
var colors = regexp.MustCompile("\x1b\\[[0-9;]*m")

// lastWords returns the end of what the service wrote, for an error. It may lack the very last
// lines of one that lives or was killed: they are in its buffer.
func (b *box) lastWords(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
	defer cancel()
	r, err := b.cli.ContainerLogs(ctx, b.id, client.ContainerLogsOptions{
		ShowStdout: true, ShowStderr: true, Tail: "5",
	})
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	var out strings.Builder
	if _, err := stdcopy.StdCopy(&out, &out, r); err != nil {
		return err.Error()
	}
	text := strings.TrimSpace(colors.ReplaceAllString(out.String(), ""))
	if text == "" {
		return "(empty)"
	}
	return strings.ReplaceAll(text, "\n", " | ")
}

// debugLog passes testcontainers-go's chatter on.
type debugLog struct{ log *slog.Logger }

func (l debugLog) Printf(format string, args ...any) { l.log.Debug(fmt.Sprintf(format, args...)) }
