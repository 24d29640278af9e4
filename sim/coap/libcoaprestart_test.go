package coap

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// watched is a device at a real server: what it sent and heard.
type watched struct {
	net.Conn
	mu            sync.Mutex
	ids           map[int32]bool
	registrations []time.Time // without their repetitions
	heard, acked  time.Time   // the last notification, and the last acknowledgement of a report
}

// Write implements net.Conn.
func (w *watched) Write(b []byte) (int, error) {
	m := message.Message{Options: make(message.Options, 0, 32)}
	if _, err := coder.DefaultCoder.Decode(b, &m); err == nil && m.Code == codes.GET {
		w.mu.Lock()
		if on, err := m.Options.Observe(); err == nil && on == 0 && !w.ids[m.MessageID] {
			w.ids[m.MessageID] = true
			w.registrations = append(w.registrations, time.Now())
		}
		w.mu.Unlock()
	}
	return w.Conn.Write(b)
}

// live reports each three seconds, and listens, until the end.
func (w *watched) live(t *testing.T, d *Dialer, addr string, i int, end time.Time) {
	c, _, o := d.Dial(t.Context(), &sim.Caller{ID: strconv.Itoa(i), Ordinal: sim.Ordinal(i), Key: uint64(i), Endpoint: addr})
	if o != sim.OK {
		t.Errorf("device %d: %v", i, o)
		return
	}
	defer c.Close(true)
	next := time.Now()
	for time.Now().Before(end) {
		deadline := next
		if !time.Now().Before(next) {
			deadline = end
			if c.(talker).Room() > 0 {
				if o := c.Publish(report(uint32(i))); o != sim.OK {
					t.Errorf("device %d: %v", i, o)
					return
				}
				next = time.Now().Add(3 * time.Second)
			}
		}
		ev := c.Wait(deadline)
		w.mu.Lock()
		switch ev.Kind {
		case sim.EventInbound:
			w.heard = time.Now()
		case sim.EventAcked:
			w.acked = time.Now()
		case sim.EventDown:
			t.Errorf("device %d: %v", i, ev.Outcome)
			end = time.Now()
		}
		w.mu.Unlock()
	}
}

// A hundred devices observe libcoap's server, half of them a resource that is not there any more after a
// restart. In the minute after none registers more than three times, those who can hear notifications again,
// and all report.
func TestD2_1LibcoapRestarts(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute and a half of real time")
	}
	program := peers.Program(t, "libcoap3-bin", "coap-server-notls", "coap-server-openssl", "coap-server-gnutls", "coap-server")
	t.Parallel()
	const devices, down = 100, 12 * time.Second
	port := strconv.Itoa(peers.Ports(t, 1)[0])
	addr := net.JoinHostPort("127.0.0.1", port)
	start := func() (stop func()) {
		server := exec.Command(program, "-A", "127.0.0.1", "-p", port, "-d", "100")
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		return sync.OnceFunc(func() {
			_ = server.Process.Kill()
			_ = server.Wait()
		})
	}
	stop := start()
	defer func() { stop() }()

	putter := dialUDP(t, &Dialer{Binding: sim.Binding{CoAP: sim.CoAP{Method: "PUT"}, ConnectTimeout: sim.Duration(time.Minute)}}, addr)
	publish(t, putter, &sim.Message{Topic: "board", Payload: []byte("notice"), QoS: 1})
	if ev := putter.Wait(time.Now().Add(time.Minute)); ev.Kind != sim.EventAcked {
		t.Fatalf("the resource was not made: %+v", ev)
	}

	began := time.Now()
	fall := began.Add(15 * time.Second)
	rise := fall.Add(down)
	end := rise.Add(65 * time.Second)
	all := make([]*watched, devices)
	var group sync.WaitGroup
	for i := range all {
		w := &watched{ids: map[int32]bool{}}
		all[i] = w
		path := []string{"time", "board"}[i%2]
		d := &Dialer{Binding: sim.Binding{CoAP: sim.CoAP{Observe: []string{path}}, ConnectTimeout: sim.Duration(time.Minute)},
			DialConn: func(ctx context.Context, endpoint string, _ sim.Ordinal) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, "udp", endpoint)
				w.Conn = conn
				return w, err
			}}
		group.Go(func() { w.live(t, d, addr, i, end) })
	}
	time.Sleep(time.Until(fall))
	stop()
	time.Sleep(time.Until(rise))
	rise = time.Now()
	stop = start()
	group.Wait()

	total, most := 0, 0
	for i, w := range all {
		n := 0
		for _, at := range w.registrations {
			if at.After(rise) && at.Before(rise.Add(time.Minute)) {
				n++
			}
		}
		total, most = total+n, max(most, n)
		if n > 3 || crowded(w.registrations, time.Minute) > 3 {
			t.Errorf("device %d registered %d times in the minute after the restart, and up to %d times in a minute",
				i, n, crowded(w.registrations, time.Minute))
		}
		if i%2 == 0 && w.heard.Before(end.Add(-10*time.Second)) {
			t.Errorf("device %d heard its last notification %v before the end", i, end.Sub(w.heard))
		}
		if w.acked.Before(end.Add(-20 * time.Second)) {
			t.Errorf("device %d had its last report acknowledged %v before the end", i, end.Sub(w.acked))
		}
		if w.registrations == nil {
			t.Errorf("device %d never registered", i)
		}
	}
	t.Logf("%d registrations in the minute after the restart, at most %d of a device", total, most)
}
