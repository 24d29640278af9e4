package engine

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/system"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
)

func mosquitto() *Target {
	return &Target{Name: "mosquitto", Containers: []docker.Container{docker.Mosquitto()}}
}

func neverReady(context.Context, sim.Endpoints) error { return errors.New("not asked for") }

func TestReadyIsRequired(t *testing.T) {
	if _, err := mosquitto().Start(t.Context()); err == nil || !strings.Contains(err.Error(), "Ready") {
		t.Errorf("Start without Ready: %v", err)
	}
}

// Each is a machine on which no engine answers. None may take long or look further.
func TestNoEngine(t *testing.T) {
	dir := t.TempDir()
	silent := filepath.Join(dir, "silent.sock")
	l, err := net.Listen("unix", silent)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	refused := filepath.Join(dir, "refused.sock")
	r, err := net.Listen("unix", refused)
	if err != nil {
		t.Fatal(err)
	}
	r.(*net.UnixListener).SetUnlinkOnClose(false)
	r.Close()

	for _, tc := range []struct{ name, host, want string }{
		{"no socket", "unix://" + filepath.Join(dir, "none.sock"), "no such file"},
		{"nobody listens", "unix://" + refused, "connection refused"},
		{"never answers", "unix://" + silent, "no answer within 2s"},
		{"another machine", "tcp://192.0.2.1:2375", "not on this machine"},
		{"over ssh", "ssh://root@192.0.2.1", "not on this machine"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("DOCKER_HOST", tc.host)
			target := mosquitto()
			target.Ready = neverReady
			began := time.Now()
			_, err := target.Start(t.Context())
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("took %v", took)
			}
			var sick *sim.NotHealthy
			if !errors.As(err, &sick) || sick.Target != "mosquitto" {
				t.Fatalf("got %v: want a sim.NotHealthy of mosquitto", err)
			}
			for _, want := range []string{tc.want, tc.host} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if err := target.Stop(t.Context()); err != nil {
				t.Errorf("Stop after a failed Start: %v", err)
			}
		})
	}
}

func TestSweepWithoutEngine(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "none.sock"))
	if err := Sweep(t.Context(), nil); err != nil {
		t.Errorf("no engine, nothing to sweep: %v", err)
	}
}

func TestOrphaned(t *testing.T) {
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		change func(map[string]string)
		want   bool
	}{
		{"this process", func(map[string]string) {}, false},
		{"a dead one", func(l map[string]string) { l[labelPID] = strconv.Itoa(dead.Process.Pid) }, true},
		{"its id used again", func(l map[string]string) { l[labelStart] = "an earlier boot+42" }, true},
		{"on another machine", func(l map[string]string) { l[labelHost] = "elsewhere"; l[labelPID] = "1" }, false},
		{"no id", func(l map[string]string) { delete(l, labelPID) }, false},
		{"all processes", func(l map[string]string) { l[labelPID] = "-1" }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			labels := ownerLabels("r")
			tc.change(labels)
			if got := orphaned(labels); got != tc.want {
				t.Errorf("orphaned(%v) = %v", labels, got)
			}
		})
	}
}

func TestIsLocal(t *testing.T) {
	for host, want := range map[string]bool{
		"unix:///var/run/docker.sock": true,
		"tcp://127.0.0.1:2375":        true,
		"tcp://[::1]:2375":            true,
		"tcp://localhost:2375":        true,
		"tcp://build.example:2376":    false,
		"ssh://me@127.0.0.1":          false,
		"":                            false,
		"%":                           false,
	} {
		if got := isLocal(host); got != want {
			t.Errorf("isLocal(%q) = %v", host, got)
		}
	}
}

func TestSharesNetwork(t *testing.T) {
	native := system.Info{OSType: "linux", OperatingSystem: "Debian GNU/Linux 12 (bookworm)"}
	for _, tc := range []struct {
		name, host string
		change     func(*system.Info)
		want       bool
	}{
		{"native", "unix:///var/run/docker.sock", func(*system.Info) {}, true},
		{"over tcp", "tcp://127.0.0.1:2375", func(*system.Info) {}, false},
		{"desktop", "unix:///d.sock", func(i *system.Info) { i.OperatingSystem = "Docker Desktop" }, false},
		{"rootless", "unix:///d.sock", func(i *system.Info) { i.SecurityOptions = []string{"name=rootless"} }, false},
		{"remapped", "unix:///d.sock", func(i *system.Info) { i.SecurityOptions = []string{"name=userns"} }, false},
	} {
		info := native
		tc.change(&info)
		if got := sharesNetwork(tc.host, info); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestImages(t *testing.T) {
	m := docker.Mosquitto()
	for version, want := range map[string]choice{
		"":       {upstream: "eclipse-mosquitto:2.0.22", local: "myriad/mosquitto:local"},
		"2.0.20": {upstream: "eclipse-mosquitto:2.0.20"},
		"local":  {local: "myriad/mosquitto:local"},
	} {
		if got := imagesOf(&m, version); got != want {
			t.Errorf("version %q: %+v", version, got)
		}
	}
}

// The first scheme of a service is always served, others once and if the service knows them.
func TestListeners(t *testing.T) {
	c := docker.Mosquitto()
	c.Private = 2
	target := &Target{Schemes: []sim.Scheme{sim.SchemeWS, sim.SchemeMQTT, sim.SchemeCoAPS, sim.SchemeMQTTS, sim.SchemeWS}}
	list, private, _, err := target.listeners(&c)
	if err != nil {
		t.Fatal(err)
	}
	var schemes []sim.Scheme
	ports := map[int]bool{}
	for _, l := range list {
		schemes = append(schemes, l.Scheme)
		ports[l.Port] = true
	}
	for _, port := range private {
		ports[port] = true
	}
	if want := []sim.Scheme{sim.SchemeMQTT, sim.SchemeWS, sim.SchemeMQTTS}; !slices.Equal(schemes, want) || len(ports) != len(want)+2 {
		t.Errorf("listeners %v and ports %v, want %q and two more, on ports of their own", list, private, want)
	}
}

func TestHandle(t *testing.T) {
	m := mosquitto()
	if _, err := m.Handle("coap"); err == nil || !strings.Contains(err.Error(), `"broker"`) {
		t.Errorf("Handle(coap): %v: want an error that says which services there are", err)
	}
	h, err := m.Handle("broker")
	if err != nil {
		t.Fatal(err)
	}
	for name, act := range map[string]func() error{
		"Down":   func() error { return h.Down(t.Context(), true) },
		"Up":     func() error { return h.Up(t.Context()) },
		"Freeze": func() error { return h.Freeze(t.Context(), true) },
	} {
		if err := act(); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("%s of a target that is not started: %v", name, err)
		}
	}
}
