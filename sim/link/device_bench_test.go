package link_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/backend"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/internal/peers"
	"github.com/myriad-iot/myriad/sim/link"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// MYRIAD_BENCH_BROKER makes the test binary the broker of BenchmarkMQTTDevice: what a connection costs
// there is not the device's.
func TestBenchBroker(t *testing.T) {
	if os.Getenv("MYRIAD_BENCH_BROKER") == "" {
		return // nobody's child
	}
	o := backend.Options{
		MQTT: "127.0.0.1:0", MQTTS: "127.0.0.1:0", WS: "127.0.0.1:0", WSS: "127.0.0.1:0",
		Identity: backend.Identity{Seed: seed, Mutual: true},
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		cancel()
	}()
	_ = backend.Serve(ctx, o, nil, func(e sim.Endpoints) {
		for _, at := range e.All() {
			fmt.Println("at", at)
		}
		fmt.Println("at end")
	})
}

// What a whole MQTT device costs over each transport, its goroutine included: connected and idle, and
// after ten messages of 100 bytes, each acknowledged.
func BenchmarkMQTTDevice(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	at := benchBroker(b)
	for _, scheme := range []sim.Scheme{sim.SchemeMQTT, sim.SchemeMQTTS, sim.SchemeWS, sim.SchemeWSS} {
		b.Run(string(scheme), func(b *testing.B) {
			const devices, messages = 2000, 10
			for n := 0; b.Loop(); n++ {
				binding := sim.Binding{Channel: sim.ChannelMQTT, Transport: scheme.Transport(), QoS: 1,
					Security: sim.Security{Credential: sim.CredentialCertificate}}
				l, err := link.New(&binding, &identity.Authority{Seed: seed})
				if err != nil {
					b.Fatal(err)
				}
				d := &mqtt.Dialer{Binding: binding, DialConn: l.Dial}
				empty := peers.Resident(4)
				var connected, answered, all sync.WaitGroup
				slots, sleepers := make(chan struct{}, 8), make([]sim.Interrupter, devices)
				for i := range devices {
					connected.Add(1)
					answered.Add(1)
					all.Go(func() {
						slots <- struct{}{}
						c, facts, outcome := d.Dial(b.Context(), &sim.Caller{ID: fmt.Sprint("meters-", i), Ordinal: sim.Ordinal(i),
							Endpoint: at.Of(scheme, 0), Source: link.Loopback(devices).Of(uint64(i), n)})
						<-slots
						sleepers[i] = facts.Interrupter
						connected.Done()
						if outcome != sim.OK {
							answered.Done()
							b.Error(outcome.Class())
							return
						}
						all.Go(func() { // on a stack that is not grown, as devices do
							defer c.Close(true)
							c.Wait(time.Time{}) // as a device that has nothing to do, until it is woken
							m := sim.Message{Topic: "up", Payload: make([]byte, 100), QoS: 1}
							for range messages {
								c.Publish(&m)
								if e := c.Wait(time.Now().Add(20 * time.Second)); e.Kind != sim.EventAcked {
									b.Errorf("%+v", e)
								}
							}
							answered.Done()
							c.Wait(time.Time{})
						})
					})
				}
				connected.Wait()
				b.ReportMetric((peers.Resident(4)-empty)/devices, "B/idle")
				wake(sleepers)
				answered.Wait()
				b.ReportMetric((peers.Resident(4)-empty)/devices, "B/active")
				wake(sleepers)
				all.Wait()
			}
		})
	}
}

func wake(sleepers []sim.Interrupter) {
	for _, s := range sleepers {
		if s != nil {
			s.Interrupt()
		}
	}
}

// benchBroker starts this binary as the broker.
func benchBroker(b *testing.B) sim.Endpoints {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestBenchBroker$")
	cmd.Env = append(os.Environ(), "MYRIAD_BENCH_BROKER=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	at := make(sim.Endpoints)
	for {
		var uri string
		if _, err := fmt.Fscanf(out, "at %s\n", &uri); err != nil {
			b.Fatal(err)
		}
		if uri == "end" {
			return at
		}
		scheme, address, err := sim.ParseEndpoint(strings.TrimSpace(uri), "")
		if err != nil {
			b.Fatal(err)
		}
		at[scheme] = append(at[scheme], address)
	}
}
