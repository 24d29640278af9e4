package probe

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// hook breaks a broker in ways that only a round trip finds.
type hook struct {
	mochi.HookBase
	refuse, mute bool
}

func (h *hook) Provides(b byte) bool {
	return b == mochi.OnSubscribe || b == mochi.OnPublish
}

func (h *hook) OnSubscribe(_ *mochi.Client, pk packets.Packet) packets.Packet {
	if h.refuse {
		for i := range pk.Filters {
			pk.Filters[i].Filter = "#/not/a/filter" // makes mochi's SUBACK a failure
		}
	}
	return pk
}

func (h *hook) OnPublish(_ *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if h.mute {
		return pk, packets.CodeSuccessIgnore // acknowledged, delivered to nobody
	}
	return pk, nil
}

func TestCheck(t *testing.T) {
	healthy := startBroker(t, "127.0.0.1:0")
	refusing, muting := startBroker(t, "127.0.0.1:0"), startBroker(t, "127.0.0.1:0")
	for b, h := range map[*broker]*hook{refusing: {refuse: true}, muting: {mute: true}} {
		if err := b.AddHook(h, nil); err != nil {
			t.Fatal(err)
		}
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	pinged := coapServer(t, true)
	deaf := coapServer(t, false)

	cases := []struct {
		name string
		at   sim.Endpoints
		want string // in the error; "" is none
	}{
		{"nothing to check", sim.Endpoints{}, ""},
		{"all healthy", sim.Endpoints{sim.SchemeMQTT: {healthy.address, healthy.address}, sim.SchemeCoAP: {pinged}}, ""},
		{"dead", sim.Endpoints{sim.SchemeMQTT: {healthy.address, dead.Addr().String()}},
			"nothing listens at " + dead.Addr().String()},
		{"not MQTT", sim.Endpoints{sim.SchemeMQTT: {silent.Addr().String()}}, "does not speak MQTT"},
		{"no subscriptions", sim.Endpoints{sim.SchemeMQTT: {refusing.address}}, "but not a subscription"},
		{"no delivery", sim.Endpoints{sim.SchemeMQTT: {muting.address}}, "never reached its subscriber"},
		{"no CoAP", sim.Endpoints{sim.SchemeCoAP: {deaf}}, "does not answer a ping"},
		{"no CoAP port", sim.Endpoints{sim.SchemeCoAP: {dead.Addr().String()}}, "nothing listens at"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
			defer cancel()
			err := Check(ctx, nil, c.at)
			var sick *sim.NotHealthy
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (!errors.As(err, &sick) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v", err)
			}
		})
	}
	t.Cleanup(func() {
		if ids := healthy.sessions(); len(ids) != 0 {
			t.Errorf("left behind: %v", ids)
		}
	})
}

func TestCheckIsInterrupted(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	begin := time.Now()
	if err := Check(ctx, nil, sim.Endpoints{sim.SchemeMQTT: {silent.Addr().String()}}); err == nil ||
		time.Since(begin) > checkTimeout/2 {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
}

// coapServer is a socket that answers pings with RST, or nothing.
func coapServer(t *testing.T, pong bool) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if pong && n == 4 && b[0] == 0x40 && b[1] == 0 {
				_, _ = c.WriteTo([]byte{0x70, 0, b[2], b[3]}, from)
			}
		}
	}()
	return c.LocalAddr().String()
}

// A broker without QoS 1 is healthy, and the probe listens to it. What it did not see there is not known to be
// lost, because such a broker may drop what it likes.
func TestD2_4_ABrokerWithQoS0Only(t *testing.T) {
	at := sim.Endpoints{sim.SchemeMQTT: {peers.Mosquitto(t, "max_qos 0\nallow_anonymous true")}}
	if err := Check(t.Context(), nil, at); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p, _ := newProbe(at[sim.SchemeMQTT]...)
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	<-p.Ready()
	if list := p.Outages(); len(list) != 1 || !list[0].Lower || !list[0].Lasts || list[0].From != 0 {
		t.Errorf("outages %+v, want one that lasts as long as the run", list)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
