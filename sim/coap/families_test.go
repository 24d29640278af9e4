package coap

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// bothFamilies is a name with two addresses, of which those that answer do.
type bothFamilies struct {
	t       *testing.T
	answers map[string]time.Duration // by address: how long its pong takes; none: silence

	mu     sync.Mutex
	dialed []string
	ends   []net.Conn
}

const v6, v4 = "[2001:db8::1]:5683", "192.0.2.1:5683"

func (b *bothFamilies) dialer() *Dialer {
	d := &Dialer{DialConn: func(_ context.Context, endpoint string, _ sim.Ordinal) (net.Conn, error) {
		near, end := net.Pipe()
		b.mu.Lock()
		defer b.mu.Unlock()
		b.dialed, b.ends = append(b.dialed, endpoint), append(b.ends, end)
		far := silentPeer(end)
		far.script = func(a arrival) {
			if after, ok := b.answers[endpoint]; ok && a.kind == message.Confirmable {
				time.AfterFunc(after, func() { far.send(rst(a.id)) })
			}
		}
		far.start()
		return near, nil
	}}
	d.families.lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
		if host != "both.example" {
			b.t.Errorf("%q is looked up", host)
		}
		return []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.1")}, nil
	}
	return d
}

func (b *bothFamilies) close() {
	for _, end := range b.ends {
		end.Close()
	}
}

// TestD4_BothAddressFamilies: a device reaches a server that only one of its name's addresses leads to, soon (RFC
// 8305), and the devices after it begin with the address that answered.
func TestD4_BothAddressFamilies(t *testing.T) {
	for name, c := range map[string]struct {
		answers      map[string]time.Duration
		first, later []string // dialed
		took         time.Duration
		want         sim.Outcome
	}{
		"IPv4 only":    {map[string]time.Duration{v4: 0}, []string{v6, v4}, []string{v4}, nextAddress, sim.OK},
		"IPv6":         {map[string]time.Duration{v6: 0, v4: 0}, []string{v6}, []string{v6}, 0, sim.OK},
		"IPv6 is slow": {map[string]time.Duration{v6: time.Second}, []string{v6, v4}, []string{v6}, time.Second, sim.OK},
		"both are":     {map[string]time.Duration{v6: 300 * time.Millisecond, v4: time.Second}, []string{v6, v4}, []string{v6}, 300 * time.Millisecond, sim.OK},
		"none":         {nil, []string{v6, v4}, []string{v6, v4}, 10250 * time.Millisecond, sim.CoAPTimeout},
	} {
		bubble.Test(t, func(t *testing.T) {
			b := &bothFamilies{t: t, answers: c.answers}
			defer b.close()
			d := b.dialer()
			for i, dialed := range [][]string{c.first, c.later} {
				b.dialed = nil
				began := time.Now()
				conv, _, o := d.Dial(t.Context(), &sim.Caller{ID: "t-0", Endpoint: "both.example:5683"})
				if took := time.Since(began); o != c.want || !slices.Equal(b.dialed, dialed) || i == 0 && took != c.took {
					t.Errorf("%s: %v after %v, dialed %s", name, o, took, strings.Join(b.dialed, ", "))
				}
				if o == sim.OK {
					conv.Close(true)
				}
			}
		})
	}
}

// A dial that is given up ends all tries.
func TestD4_BothAddressFamiliesGivenUp(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := &bothFamilies{t: t}
		defer b.close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, o := b.dialer().Dial(ctx, &sim.Caller{Endpoint: "both.example:5683"}); o != sim.AppUnknown {
			t.Error(o)
		}
	})
}

// TestD4_FamiliesOnThisMachine: the real resolver and sockets: a server at 127.0.0.1 alone is reached as localhost.
func TestD4_FamiliesOnThisMachine(t *testing.T) {
	far, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	go func() {
		buf := make([]byte, 64)
		for {
			n, from, err := far.ReadFrom(buf)
			if err != nil {
				return
			}
			if n == 4 {
				_, _ = far.WriteTo(rst(uint16(buf[2])<<8|uint16(buf[3])), from)
			}
		}
	}()
	_, port, _ := net.SplitHostPort(far.LocalAddr().String())
	d := &Dialer{}
	d.families.lookup = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("::1"), netip.MustParseAddr("127.0.0.1")}, nil
	}
	c, _, o := d.Dial(t.Context(), &sim.Caller{Endpoint: "localhost:" + port})
	if o != sim.OK {
		t.Fatal(o)
	}
	c.Close(false)
}
