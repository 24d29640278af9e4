package backend

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// drain reads and acknowledges messages from a subscription and returns them by stamp, until n have
// come or nothing has for a while.
func (c *client311) drain(n int, idle time.Duration) (map[sim.Stamp]int, error) {
	got := make(map[sim.Stamp]int, n)
	last := make(map[sim.Ordinal]uint32)
	for range n {
		_ = c.SetDeadline(time.Now().Add(idle))
		pk, err := c.read()
		if err != nil {
			return got, err
		}
		if pk.FixedHeader.Type != packets.Publish {
			return got, fmt.Errorf("unexpected %+v", pk)
		}
		s, ok := sim.FindStamp(pk.Payload)
		if !ok {
			return got, fmt.Errorf("no stamp in %q", pk.Payload)
		}
		if before, ok := last[s.Device]; ok && s.Seq != before+1 {
			return got, fmt.Errorf("device %d: %d after %d", s.Device, s.Seq, before)
		}
		last[s.Device] = s.Seq
		got[s]++
		if pk.FixedHeader.Qos == 1 {
			if err := c.puback(pk.PacketID); err != nil {
				return got, err
			}
		}
	}
	return got, nil
}

// Every client publishes at once, over and over, to one subscriber whose queue holds a fraction of
// it. mochi alone would drop; nothing may be lost, repeated or reordered.
func TestBrokerLosesNothingOfABurst(t *testing.T) {
	b, err := NewBroker("127.0.0.1:0", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	far := mustDial(t, b.Addr(), "far end")
	if err := far.subscribe("burst/#"); err != nil {
		t.Fatal(err)
	}
	const devices, each = 500, 40
	var wg sync.WaitGroup
	for d := range devices {
		c := mustDial(t, b.Addr(), "d"+strconv.Itoa(d))
		wg.Go(func() {
			go func() { _, _ = io.Copy(io.Discard, c.r) }() // the PUBACKs
			for i := range each {
				if err := c.publish("burst/"+strconv.Itoa(d), payload(stamp(d, i)), uint16(i+1)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	got, err := far.drain(devices*each, 10*time.Second)
	if err != nil {
		t.Errorf("after %d of %d: %v", len(got), devices*each, err)
	}
	wg.Wait()
	_ = far.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if pk, err := far.read(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one too many: %+v, %v", pk, err)
	}
	sessions := 0
	b.hook.hub.sessions.Range(func(_, v any) bool {
		sessions++
		eventually(t, "all is acknowledged", func() bool {
			s := v.(*session)
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.kept()+s.open+len(s.out) == 0
		})
		return true
	})
	if sessions != 1 {
		t.Errorf("%d sessions for one subscriber", sessions)
	}
}

// Nothing is acknowledged or delivered once the journal has failed, and Serve says so.
func TestBrokerAcknowledgesNothingWithoutItsJournal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	ready, served := make(chan sim.Endpoints, 1), make(chan error, 1)
	go func() {
		served <- Serve(t.Context(), Options{MQTT: "127.0.0.1:0", CoAP: "127.0.0.1:0"}, w,
			func(at sim.Endpoints) { ready <- at })
	}()
	c := mustDial(t, (<-ready)[sim.SchemeMQTT][0], "d")
	if err := c.acked("a", []byte("not stamped"), 1); err != nil {
		t.Errorf("unstamped: %v", err)
	}
	if err := c.acked("a", payload(stamp(1, 1)), 2); !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		if e := (*net.OpError)(nil); !errors.As(err, &e) { // a reset is as good as an end
			t.Errorf("got %v instead of the end of the connection", err)
		}
	}
	if err := <-served; err == nil {
		t.Error("Serve returned no error")
	}
}

// The accept loop meets EMFILE, neither spins nor dies, and goes on when descriptors are free again.
func TestBrokerOutOfDescriptors(t *testing.T) {
	const limit = 40
	cmd := exec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, limit),
		os.Args[0], "backend-child")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprintln(stdin, `{"serve":{"mqtt":"127.0.0.1:0"}}`)
	defer func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	var at sim.Endpoints
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &at); err != nil {
		t.Fatal(err)
	}

	conns := make([]net.Conn, 2*limit) // the kernel accepts them all
	for i := range conns {
		if conns[i], err = net.Dial("tcp", at[sim.SchemeMQTT][0]); err != nil {
			t.Fatal(err)
		}
	}
	before := cpuTicks(cmd.Process.Pid)
	time.Sleep(500 * time.Millisecond)
	if used := cpuTicks(cmd.Process.Pid) - before; used > 20 { // of 50: a loop that spins uses them all
		t.Errorf("used %d ticks of 10 ms in half a second of waiting", used)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	c := mustDial(t, at[sim.SchemeMQTT][0], "after the drought")
	if err := c.acked("a", []byte("b"), 1); err != nil {
		t.Error(err)
	}
}

// cpuTicks is the CPU time that a process has used, in ticks of 10 ms.
func cpuTicks(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	f := strings.Fields(string(afterName(b)))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return user + system
}

// 2,000 clients, one message each per round, from a child process; what a client costs is reported.
func TestTargetWithManyClients(t *testing.T) {
	log := newLog()
	tg := &Target{Brokers: 2}
	tg.Journal(log, wall{time.Now()})
	at := target(t, tg)
	const clients, rounds = 2000, 3
	pids := children(tg)
	empty := rss(pids)
	conns := make([]*client311, clients)
	for i := range conns {
		conns[i] = mustDial(t, at[sim.SchemeMQTT][i%2], "c"+strconv.Itoa(i))
	}
	idle := rss(pids)
	for round := range rounds {
		for i, c := range conns {
			if err := c.publish("many/"+strconv.Itoa(i), payload(stamp(i, round)), uint16(round+1)); err != nil {
				t.Fatal(err)
			}
		}
		for i, c := range conns {
			if pk, err := c.read(); err != nil || pk.PacketID != uint16(round+1) {
				t.Fatalf("client %d, round %d: %+v, %v", i, round, pk, err)
			}
		}
	}
	t.Logf("RSS per client: %.1f KB idle, %.1f KB after %d messages", float64(idle-empty)/clients,
		float64(rss(pids)-empty)/clients, rounds)
	eventually(t, "all are on record", func() bool { return log.len() == clients*rounds })
}

// rss is the resident memory of the processes in KB.
func rss(pids []int) (kb int) {
	for _, pid := range pids {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		var total, resident int
		_, _ = fmt.Sscan(string(b), &total, &resident)
		kb += resident * os.Getpagesize() / 1024
	}
	return kb
}
