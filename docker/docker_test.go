package docker

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/system"

	"github.com/myriad-iot/myriad/sim"
)

func neverReady(context.Context, string) error { return errors.New("not asked for") }

func TestNewKnowsItsTargets(t *testing.T) {
	got, err := New(sim.TargetSpec{Name: "mosquitto", Version: "2.0.20"}, Options{Run: "r"})
	m, ok := got.(*Mosquitto)
	if err != nil || !ok || m.Version != "2.0.20" || m.Run != "r" {
		t.Fatalf("New(mosquitto) = %#v, %v", got, err)
	}
	if _, err := New(sim.TargetSpec{Name: "emqx"}, Options{}); err == nil ||
		!strings.Contains(err.Error(), `"emqx"`) || !strings.Contains(err.Error(), `"mosquitto"`) {
		t.Errorf("New(emqx): %v: want an error that names what was asked for and what there is", err)
	}
}

func TestReadyIsRequired(t *testing.T) {
	if _, err := (&Mosquitto{}).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "Ready") {
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
			target, err := New(sim.TargetSpec{Name: "mosquitto"}, Options{Ready: neverReady})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			_, err = target.Start(t.Context())
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

func TestMosquittoImages(t *testing.T) {
	for version, want := range map[string]choice{
		"":       {upstream: "eclipse-mosquitto:2.0.22", local: "myriad/mosquitto:local"},
		"2.0.20": {upstream: "eclipse-mosquitto:2.0.20"},
		"local":  {local: "myriad/mosquitto:local"},
	} {
		if got := (&Mosquitto{Version: version}).images(); got != want {
			t.Errorf("version %q: %+v", version, got)
		}
	}
}

func TestMosquittoConfiguration(t *testing.T) {
	full := Certificate{CA: []byte("ca"), Certificate: []byte("cert"), Key: []byte("key"), Mutual: true}
	const secure = "cafile /mosquitto/config/ca.pem\ncertfile /mosquitto/config/certificate.pem\nkeyfile /mosquitto/config/key.pem\nrequire_certificate "
	for _, c := range []struct {
		o    Options
		r    recipe
		want string
	}{
		{Options{}, recipe{ports: []int{20001}}, "\nlistener 20001 127.0.0.1\n"},
		{Options{}, recipe{ports: []int{20001}, publish: true}, "\nlistener 20001 0.0.0.0\n"},
		{Options{Schemes: []sim.Scheme{sim.SchemeMQTT, sim.SchemeWS}}, recipe{ports: []int{1, 2}},
			"\nlistener 1 127.0.0.1\n\nlistener 2 127.0.0.1\nprotocol websockets\n"},
		{Options{Schemes: []sim.Scheme{sim.SchemeWSS, sim.SchemeMQTTS}, Certificate: full}, recipe{ports: []int{1, 2, 3}},
			"\nlistener 1 127.0.0.1\n\nlistener 2 127.0.0.1\nprotocol websockets\n" + secure + "true\n" +
				"\nlistener 3 127.0.0.1\n" + secure + "true\n"},
	} {
		conf, files, err := (&Mosquitto{Options: c.o}).configure(c.r)
		if err != nil || string(conf) != string(mosquittoConf)+c.want {
			t.Errorf("%v; want the file and %q, got:\n%s", err, c.want, conf)
		}
		if secured := strings.Contains(c.want, secure); secured != (string(files[mosquittoKey]) == "key") {
			t.Errorf("files %q", files)
		}
	}
	for _, s := range []sim.Scheme{sim.SchemeMQTTS, sim.SchemeCoAP} {
		m := &Mosquitto{Options: Options{Schemes: []sim.Scheme{s}}}
		if _, _, err := m.configure(recipe{ports: []int{1, 2}}); err == nil {
			t.Errorf("%s: no error", s)
		}
	}
	if strings.Contains(string(mosquittoConf), "\nlistener ") {
		t.Error("mosquitto.conf has a listener of its own")
	}
}

func TestHandle(t *testing.T) {
	m := &Mosquitto{}
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
