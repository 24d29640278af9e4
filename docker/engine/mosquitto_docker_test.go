//go:build docker

package engine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/moby/moby/client"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/link"
)

// These tests need an engine, and an image that is here or can be pulled. With the tag they fail
// without; they never skip.

// answers is a Ready made of a whole conversation.
func answers(ctx context.Context, at sim.Endpoints) error { return ask(ctx, at[sim.SchemeMQTT][0]) }

func ask(ctx context.Context, addr string) error {
	c, _, err := open(ctx, addr, "ready", true)
	if err == nil {
		c.Disconnect(0)
	}
	return err
}

// open connects as id and reports whether the broker knew the session.
func open(ctx context.Context, addr, id string, clean bool) (c mqtt.Client, present bool, err error) {
	limit := 5 * time.Second
	if d, ok := ctx.Deadline(); ok {
		limit = time.Until(d)
	}
	o := mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(id).SetCleanSession(clean).
		SetConnectTimeout(limit).SetAutoReconnect(false)
	c = mqtt.NewClient(o)
	token := c.Connect().(*mqtt.ConnectToken)
	if !token.WaitTimeout(limit) {
		c.Disconnect(0)
		return nil, false, errors.New("no CONNACK")
	}
	return c, token.SessionPresent(), token.Error()
}

func start(t *testing.T, m *Target) (addr string, h sim.Handle) {
	t.Helper()
	if m.Ready == nil {
		m.Ready = answers
	}
	m.Run = t.Name()
	ends, err := m.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(t.Context()); err != nil { // its context is over by now, as a user's may be
			t.Errorf("Stop: %v", err)
		}
		if left := containers(t, labelRun+"="+t.Name()); len(left) > 0 {
			t.Errorf("Stop left %v", left)
		}
	})
	if len(ends[sim.SchemeMQTT]) != 1 || len(ends[sim.SchemeCoAP]) != 0 {
		t.Fatalf("endpoints %+v", ends)
	}
	if h, err = m.Handle("broker"); err != nil {
		t.Fatal(err)
	}
	return ends[sim.SchemeMQTT][0], h
}

func engine(t *testing.T) *client.Client {
	t.Helper()
	cli, err := connect(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	return cli
}

func containers(t *testing.T, label string) (ids []string) {
	t.Helper()
	list, err := engine(t).ContainerList(context.WithoutCancel(t.Context()), client.ContainerListOptions{
		All: true, Filters: make(client.Filters).Add("label", label),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list.Items {
		ids = append(ids, c.ID)
	}
	return ids
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// unwell fails the test if the broker answers.
func unwell(t *testing.T, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := ask(ctx, addr); err == nil {
		t.Fatal("the broker answers")
	}
}

func TestMosquittoLife(t *testing.T) {
	for _, publish := range []bool{false, true} {
		t.Run(map[bool]string{false: "default network", true: "published port"}[publish], func(t *testing.T) {
			m := mosquitto()
			m.publish = publish
			addr, h := start(t, m)
			volumes := volumeNames(t)
			for _, kill := range []bool{true, false} {
				held, err := net.Dial("tcp", addr)
				must(t, err)
				defer held.Close()
				must(t, h.Down(t.Context(), kill))
				held.SetReadDeadline(time.Now().Add(5 * time.Second))
				if _, err := held.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("the broker is down and its connections are up")
				}
				unwell(t, addr)
				must(t, h.Up(t.Context()))
				must(t, ask(t.Context(), addr))
			}
			must(t, h.Freeze(t.Context(), true))
			unwell(t, addr)
			must(t, h.Freeze(t.Context(), false))
			must(t, ask(t.Context(), addr))

			must(t, m.Stop(t.Context()))
			for _, v := range volumes {
				if slices.Contains(volumeNames(t), v) {
					t.Errorf("volume %s is left", v)
				}
			}
		})
	}
}

// volumeNames lists the volumes in use by this test's containers, or by nobody.
func volumeNames(t *testing.T) (names []string) {
	t.Helper()
	cli := engine(t)
	for _, id := range containers(t, labelRun+"="+t.Name()) {
		c, err := cli.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
		must(t, err)
		for _, m := range c.Container.Mounts {
			names = append(names, m.Name)
		}
	}
	if names == nil {
		list, err := cli.VolumeList(t.Context(), client.VolumeListOptions{})
		must(t, err)
		for _, v := range list.Items {
			names = append(names, v.Name)
		}
	}
	return names
}

func TestMosquittoStopsInAnyState(t *testing.T) {
	for name, into := range map[string]func(*testing.T, sim.Handle){
		"frozen": func(t *testing.T, h sim.Handle) { must(t, h.Freeze(t.Context(), true)) },
		"dead":   func(t *testing.T, h sim.Handle) { must(t, h.Down(t.Context(), true)) },
		"frozen and killed": func(t *testing.T, h sim.Handle) {
			must(t, h.Freeze(t.Context(), true))
			must(t, h.Down(t.Context(), true))
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := mosquitto()
			_, h := start(t, m)
			into(t, h)
			began := time.Now()
			must(t, m.Stop(t.Context()))
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("Stop took %v", took)
			}
			must(t, m.Stop(t.Context()))
		})
	}
}

func TestMosquittoFrozenAndKilledComesBack(t *testing.T) {
	addr, h := start(t, mosquitto())
	must(t, h.Freeze(t.Context(), true))
	must(t, h.Down(t.Context(), true))
	must(t, h.Up(t.Context()))
	must(t, ask(t.Context(), addr))
}

func TestMosquittoDescribes(t *testing.T) {
	m := mosquitto()
	addr, _ := start(t, m)
	d := m.Describe()
	for _, key := range []string{"kind", "name", "image", "image_id", "source", "version", "network", "engine"} {
		if d[key] == "" {
			t.Errorf("no %s in %v", key, d)
		}
	}
	if d["kind"] != "container" || d["address"] != addr || !strings.HasPrefix(d["version"], "2.") {
		t.Errorf("described as %v", d)
	}
	if local := d["image"] == docker.Mosquitto().Local; local == strings.Contains(d["source"], "upstream") {
		t.Errorf("image %s is said to be %s", d["image"], d["source"])
	}
}

func TestMosquittoNeverReady(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m := mosquitto()
	m.Run, m.Ready = t.Name(), func(context.Context, sim.Endpoints) error {
		cancel() // the user has seen enough
		return errors.New("out of order")
	}
	_, err := m.Start(ctx)
	var sick *sim.NotHealthy
	if !errors.As(err, &sick) || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("Start: %v", err)
	}
	if left := containers(t, labelRun+"="+t.Name()); len(left) > 0 {
		t.Errorf("Start failed and left %v", left)
	}
}

func TestMosquittoThatEnds(t *testing.T) {
	var addr string
	m := mosquitto()
	m.Ready = func(ctx context.Context, at sim.Endpoints) error {
		addr = at[sim.SchemeMQTT][0]
		return ask(ctx, addr)
	}
	_, h := start(t, m)
	must(t, h.Down(t.Context(), false))
	if m.boxes[0].id == "" || addr == "" {
		t.Fatal("nothing was started")
	}
	l, err := net.Listen("tcp", addr) // somebody takes the port meanwhile, and says nothing
	must(t, err)
	defer l.Close()
	m.boxes[0].ready = func(context.Context, sim.Endpoints) error { return errors.New("not a broker") }
	if err := h.Up(t.Context()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Up on a taken port: %v: want the broker's own words", err)
	}
}

func TestMosquittoImageMissing(t *testing.T) {
	m := mosquitto()
	m.Version, m.Ready = "0.0.0-no-such-tag", answers
	_, err := m.Start(t.Context())
	var sick *sim.NotHealthy
	if !errors.As(err, &sick) || !strings.Contains(err.Error(), "eclipse-mosquitto:0.0.0-no-such-tag") {
		t.Errorf("Start: %v", err)
	}
}

// The probe's session must be there after the broker was killed, with what was queued for it since.
func TestMosquittoSessionSurvivesKill(t *testing.T) {
	m := mosquitto()
	addr, h := start(t, m)
	c, present, err := open(t.Context(), addr, "probe", false)
	must(t, err)
	if present {
		t.Fatal("a new broker knows the session")
	}
	token := c.Subscribe("#", 1, nil)
	token.Wait()
	must(t, token.Error())
	since := time.Now()
	c.Disconnect(100)

	for limit := time.Now().Add(20 * time.Second); !saved(t, m, since); {
		if time.Now().After(limit) {
			t.Fatal("the broker does not write its sessions down")
		}
		time.Sleep(100 * time.Millisecond)
	}
	must(t, h.Down(t.Context(), true))
	must(t, h.Up(t.Context()))
	c, present, err = open(t.Context(), addr, "probe", false)
	must(t, err)
	defer c.Disconnect(0)
	if !present {
		t.Error("the session did not survive")
	}
}

// saved reports whether the broker has written its state in a second that began after since.
func saved(t *testing.T, m *Target, since time.Time) bool {
	t.Helper()
	stat, err := m.boxes[0].cli.ContainerStatPath(t.Context(), m.boxes[0].id,
		client.ContainerStatPathOptions{Path: "/mosquitto/data/mosquitto.db"})
	return err == nil && stat.Stat.Mtime.After(since)
}

// A run that is killed with SIGKILL leaves its container; the next one removes it, and nothing of
// those that live.
func TestSweepAfterKill(t *testing.T) {
	_, _ = start(t, mosquitto()) // lives
	victim := exec.Command(os.Args[0], "-test.run=^TestVictim$", "-test.v")
	victim.Env = append(os.Environ(), victimEnv+"="+t.Name()+"/victim")
	victim.Stderr = os.Stderr
	out, err := victim.StdoutPipe()
	must(t, err)
	must(t, victim.Start())
	label := labelRun + "=" + t.Name() + "/victim"
	if said := readUntil(out, "up and running"); !strings.Contains(said, "up and running") {
		t.Fatalf("the victim said: %s", said)
	}
	must(t, Sweep(t.Context(), slog.New(slog.DiscardHandler)))
	if n := len(containers(t, label)); n != 1 {
		t.Fatalf("it lives and has %d containers", n)
	}
	must(t, victim.Process.Kill())
	victim.Wait()
	if n := len(containers(t, label)); n != 1 {
		t.Fatalf("it was killed and %d containers are left: there is nothing to sweep", n)
	}
	must(t, Sweep(t.Context(), nil))
	if left := containers(t, label); len(left) > 0 {
		t.Errorf("Sweep left %v", left)
	}
	if n := len(containers(t, labelRun+"="+t.Name())); n != 1 {
		t.Errorf("a live run has %d containers after the sweep", n)
	}
}

const victimEnv = "MYRIAD_TEST_VICTIM"

// TestVictim is the process that TestSweepAfterKill kills; alone it does nothing.
func TestVictim(t *testing.T) {
	run := os.Getenv(victimEnv)
	if run == "" {
		return
	}
	m := mosquitto()
	m.Run, m.Ready = run, answers
	_, err := m.Start(t.Context())
	must(t, err)
	os.Stdout.WriteString("up and running\n")
	select {}
}

func readUntil(r io.Reader, mark string) string {
	var text strings.Builder
	buf := make([]byte, 256)
	for !strings.Contains(text.String(), mark) {
		n, err := r.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			break
		}
	}
	return text.String()
}

// Over TLS the broker shows the run's certificate, demands the devices', and keeps its port.
func TestMosquittoOverTLS(t *testing.T) {
	a := &identity.Authority{Seed: 3}
	server, err := a.Server()
	must(t, err)
	ca, err := a.CA()
	must(t, err)
	cert, key, err := identity.PEM(server)
	must(t, err)
	m := mosquitto()
	m.Schemes = []sim.Scheme{sim.SchemeMQTTS}
	m.Certificate = docker.Certificate{CA: ca, Certificate: cert, Key: key, Mutual: true}
	_, h := start(t, m)
	endpoint := m.boxes[0].endpoints()[sim.SchemeMQTTS][0]
	for credential, want := range map[sim.Credential]bool{sim.CredentialCertificate: true, sim.CredentialNone: false} {
		l, err := link.New(&sim.Binding{
			Channel: sim.ChannelMQTT, Transport: sim.TransportTLS, Security: sim.Security{Credential: credential, TLS: "1.2"},
		}, a)
		must(t, err)
		call := func() error {
			conn, err := l.Dial(t.Context(), &sim.Caller{ID: "meters-1", Ordinal: 1, Endpoint: endpoint})
			if err == nil {
				_ = conn.Close()
			}
			return err
		}
		if err := call(); (err == nil) != want {
			t.Errorf("credential %q: %v", credential, err)
		}
		if !want {
			continue
		}
		must(t, h.Down(t.Context(), true))
		must(t, h.Up(t.Context()))
		if err := call(); err != nil {
			t.Errorf("after a restart: %v", err)
		}
	}
}

// Over WebSocket too it listens on loopback only, where it shares this machine's network.
func TestMosquittoOverWebSocket(t *testing.T) {
	m := mosquitto()
	m.Schemes = []sim.Scheme{sim.SchemeWS}
	start(t, m)
	l, err := link.New(&sim.Binding{Channel: sim.ChannelMQTT, Transport: sim.TransportWS}, nil)
	must(t, err)
	_, port, err := net.SplitHostPort(m.boxes[0].endpoints()[sim.SchemeWS][0])
	must(t, err)
	for host, want := range map[string]bool{"127.0.0.1": true, "127.0.0.2": m.Describe()["network"] != "the host's"} {
		conn, err := l.Dial(t.Context(), &sim.Caller{ID: "meters-1", Endpoint: net.JoinHostPort(host, port)})
		if (err == nil) != want {
			t.Errorf("%s: %v", host, err)
		}
		if err == nil {
			must(t, conn.Close())
		}
	}
}

// What an image cannot do is told as that, and not as a target that is ill. The image here says what
// Mosquitto says that was built without WebSocket.
func TestImageLacksSomething(t *testing.T) {
	m := mosquitto()
	c := &m.Containers[0]
	c.Command = []string{"sh", "-c", "echo 'Error: Websockets support not available.' >&2; exit 3"}
	m.Run, m.Ready, m.Schemes = t.Name(), answers, []sim.Scheme{sim.SchemeWS}
	_, err := m.Start(t.Context())
	var lacks *sim.Lacks
	if !errors.As(err, &lacks) || !strings.Contains(err.Error(), `"mosquitto" does not have ws://: the image `) {
		t.Errorf("Start: %v", err)
	}
	m.Schemes = nil
	var sick *sim.NotHealthy
	if _, err := m.Start(t.Context()); !errors.As(err, &sick) || !strings.Contains(err.Error(), "exit code 3") {
		t.Errorf("nobody asked for WebSocket: %v", err)
	}
	if left := containers(t, labelRun+"="+t.Name()); len(left) > 0 {
		t.Errorf("it was declined and left %v", left)
	}
}
