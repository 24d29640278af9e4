package backend

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// The test binary is also the child, and the parent of a grandchild.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "backend-child":
			os.Exit(ChildMain(os.Args[2:]))
		case "auth-child":
			os.Exit(AuthMain(os.Args[2:]))
		case "backend-parent":
			os.Exit(parentMain())
		}
	}
	os.Exit(m.Run())
}

// childCommand starts this binary as a child.
func childCommand() []string { return []string{os.Args[0], "backend-child"} }

// parentMain is a simulator that starts a target and then waits to be killed. It prints the pids of
// its children.
func parentMain() int {
	t := &Target{Command: childCommand(), Brokers: 1, CoAP: true}
	t.Journal(newLog(), wall{time.Now()})
	if _, err := t.Start(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if len(os.Args) > 2 && os.Args[2] == "frozen" {
		h, _ := t.Handle("broker")
		if err := h.Freeze(context.Background(), true); err != nil {
			return 1
		}
	}
	fmt.Println(pids(t))
	select {}
}

func pids(t *Target) string {
	var list []string
	for _, s := range t.services {
		for _, m := range s.members {
			list = append(list, strconv.Itoa(m.process.Pid()))
		}
	}
	return strings.Join(list, " ")
}

// wall is a run's clock.
type wall struct{ t0 time.Time }

func (w wall) Now() sim.Instant { return time.Since(w.t0) }

// sightings is a witness that counts.
type sightings struct {
	mu    sync.Mutex
	seen  map[sim.Stamp]int
	first map[sim.Stamp]sim.Instant
}

func newLog() *sightings {
	return &sightings{seen: make(map[sim.Stamp]int), first: make(map[sim.Stamp]sim.Instant)}
}

func (l *sightings) See(s sim.Sighting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !s.Stored {
		panic("a journal reports what is stored")
	}
	if l.seen[s.Stamp]++; l.seen[s.Stamp] == 1 {
		l.first[s.Stamp] = s.At
	}
}

func (l *sightings) count(s sim.Stamp) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[s]
}

func (l *sightings) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seen)
}

// eventually waits for a condition that another process brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// target starts a target that the test's end stops.
func target(t *testing.T, tg *Target) sim.Endpoints {
	t.Helper()
	if tg.Command == nil {
		tg.Command = childCommand()
	}
	tg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	at, err := tg.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tg.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return at
}

// client is a minimal MQTT 3.1.1 client.
type client311 struct {
	net.Conn
	r *bufio.Reader
}

func dial(address, id string) (*client311, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	cl := &client311{c, bufio.NewReader(c)}
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	var b bytes.Buffer
	connect := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: 4,
		Connect: packets.ConnectParams{
			ProtocolName: []byte("MQTT"), ClientIdentifier: id, Clean: true, Keepalive: 60,
		},
	}
	if err := connect.ConnectEncode(&b); err != nil {
		return nil, err
	}
	if _, err := c.Write(b.Bytes()); err != nil {
		_ = c.Close()
		return nil, err
	}
	pk, err := cl.read()
	if err == nil && (pk.FixedHeader.Type != packets.Connack || pk.ReasonCode != 0) {
		err = fmt.Errorf("connack: %+v", pk)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return cl, nil
}

func mustDial(t *testing.T, address, id string) *client311 {
	t.Helper()
	c, err := dial(address, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (c *client311) read() (packets.Packet, error) {
	var pk packets.Packet
	first, err := c.r.ReadByte()
	if err != nil {
		return pk, err
	}
	if err := pk.FixedHeader.Decode(first); err != nil {
		return pk, err
	}
	n, _, err := packets.DecodeLength(c.r)
	if err != nil {
		return pk, err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.r, body); err != nil {
		return pk, err
	}
	switch pk.ProtocolVersion = 4; pk.FixedHeader.Type {
	case packets.Connack:
		err = pk.ConnackDecode(body)
	case packets.Puback:
		err = pk.PubackDecode(body)
	case packets.Pubrec:
		err = pk.PubrecDecode(body)
	case packets.Pubcomp:
		err = pk.PubcompDecode(body)
	case packets.Suback:
		err = pk.SubackDecode(body)
	case packets.Publish:
		err = pk.PublishDecode(body)
	}
	return pk, err
}

func (c *client311) publish(topic string, payload []byte, id uint16) error {
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, ProtocolVersion: 4,
		TopicName: topic, Payload: payload, PacketID: id,
	}
	if id == 0 {
		pk.FixedHeader.Qos = 0
	}
	var b bytes.Buffer
	if err := pk.PublishEncode(&b); err != nil {
		return err
	}
	_, err := c.Write(b.Bytes())
	return err
}

// acked publishes and waits for the PUBACK.
func (c *client311) acked(topic string, payload []byte, id uint16) error {
	if err := c.publish(topic, payload, id); err != nil {
		return err
	}
	pk, err := c.read()
	if err == nil && (pk.FixedHeader.Type != packets.Puback || pk.PacketID != id) {
		err = fmt.Errorf("not the puback of %d: %+v", id, pk)
	}
	return err
}

func (c *client311) subscribe(filter string) error {
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, ProtocolVersion: 4, PacketID: 1,
		Filters: packets.Subscriptions{{Filter: filter, Qos: 1}},
	}
	var b bytes.Buffer
	if err := pk.SubscribeEncode(&b); err != nil {
		return err
	}
	if _, err := c.Write(b.Bytes()); err != nil {
		return err
	}
	ack, err := c.read()
	if err == nil && ack.FixedHeader.Type != packets.Suback {
		err = fmt.Errorf("no suback: %+v", ack)
	}
	return err
}

func (c *client311) puback(id uint16) error {
	_, err := c.Write([]byte{packets.Puback << 4, 2, byte(id >> 8), byte(id)})
	return err
}

func stamp(device, seq int) sim.Stamp {
	return sim.Stamp{Run: 7, Fleet: 1, Device: sim.Ordinal(device), Seq: uint32(seq), Due: time.Duration(seq) * time.Second}
}

func payload(s sim.Stamp) []byte {
	return append(s.Append([]byte(`{"t":21.5,"_m":"`)), `"}`...)
}

// state is the state letter of a process in /proc, 0 if there is none.
func state(pid int) byte {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	return afterName(b)[0]
}

// afterName is the part of a /proc/<pid>/stat that follows the process's name.
func afterName(stat []byte) []byte {
	_, after, _ := bytes.Cut(stat, []byte(") "))
	return after
}

// inProcess runs services in this process until the test ends.
func inProcess(t *testing.T, o Options, journal io.Writer) sim.Endpoints {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	ctx, cancel := context.WithCancel(context.Background())
	ready, served := make(chan sim.Endpoints, 1), make(chan error, 1)
	go func() { served <- Serve(ctx, o, journal, func(at sim.Endpoints) { ready <- at }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	select {
	case at := <-ready:
		return at
	case err := <-served:
		served <- nil
		t.Fatal(err)
		return nil
	}
}

func exitCode(err error) int {
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		return e.ExitCode()
	}
	return 0
}
