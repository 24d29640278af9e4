package device

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/mux"
	coapnet "github.com/plgd-dev/go-coap/v3/net"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/udp"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/fetch"
	"github.com/myriad-iot/myriad/sim/http"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/skill"
)

// fetcher is a skill that fetches a file when it is asked to.
type fetcher struct {
	mu    sync.Mutex
	sums  [][32]byte
	ends  []error
	count fetch.Count
	begun chan struct{} // closed by the first errand
	wait  bool          // the errand does nothing but wait for its end
}

func (*fetcher) Next(*skill.Self, *skill.Course) sim.Instant                  { return skill.Forever }
func (*fetcher) Do(*skill.Self, sim.Instant)                                  {}
func (*fetcher) Hear(*skill.Self, *sim.Inbound, *sim.Stamp, sim.Instant) bool { return false }
func (f *fetcher) Begin(s *skill.Self, task *sim.Task, _ sim.Instant, replay bool) {
	if replay {
		return
	}
	s.Host.Start(s, sim.RoleUpdate, func(ctx context.Context, open skill.Open) error {
		if f.wait {
			close(f.begun)
			<-ctx.Done()
			return ctx.Err()
		}
		sum := sha256.New()
		d := fetch.Download{
			Open:    open,
			Request: sim.Request{Path: task.Args["path"]},
			Retry:   sim.Retry{Base: sim.Duration(time.Millisecond), MaxAttempt: 50},
			Write: func(at int64, part []byte) error {
				if at == 0 {
					sum.Reset()
				}
				sum.Write(part)
				return nil
			},
		}
		if _, o := d.Run(ctx); o != sim.OK {
			return errors.New(o.String())
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.sums, f.count = append(f.sums, [32]byte(sum.Sum(nil))), d.Count
		return nil
	})
}

func (f *fetcher) Returned(_ *skill.Self, err error, _ sim.Instant) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ends = append(f.ends, err)
}

// over are the ends of errands so far.
func (f *fetcher) over() []error { f.mu.Lock(); defer f.mu.Unlock(); return slices.Clone(f.ends) }

// updating is a fleet of one that reports every 20 ms and is asked to fetch /file.
func updating(channel sim.Channel) (sim.Fleet, sim.Act) {
	f := testFleet(1)
	f.Skills[0].Every = sim.Duration(20 * time.Millisecond)
	f.Skills = append(f.Skills, sim.Skill{Name: "fetch"})
	f.Bindings = append(f.Bindings, sim.Binding{Role: sim.RoleUpdate, Channel: channel})
	return f, sim.Act{Kind: sim.ActTask, At: sim.Duration(50 * time.Millisecond), Select: &sim.Selection{Fleet: "meters", All: true},
		Task: &sim.Task{Skill: "fetch", Verb: "get", Args: map[string]string{"path": "/file"}}}
}

// A device fetches 1 MiB on a line of its own, over HTTP with connections that break and over CoAP with
// datagrams that get lost, and its reports do not wait for that.
func TestDeviceFetchesWhileItReports(t *testing.T) {
	file := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(file)
	for name, serve := range map[sim.Channel]func(*testing.T, []byte) (sim.Opener, sim.Scheme, string){
		sim.ChannelHTTP: breakingHTTP, sim.ChannelCoAP: lossyCoAP,
	} {
		t.Run(string(name), func(t *testing.T) {
			opener, scheme, endpoint := serve(t, file)
			w := newWorld()
			f, task := updating(name)
			k := &fetcher{}
			b := preparedWith(t, w, f, w, k)
			b.config.Endpoints = sim.Endpoints{scheme: {endpoint}}
			b.config.Opener = func(sim.Role) sim.Opener { return opener }
			b.launch(all(sim.ActConnect, 0), task)
			for end := time.Now().Add(2 * time.Minute); len(k.over()) == 0 && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond)
			}
			took := time.Since(w.t0)
			b.finish()
			if len(k.ends) != 1 || k.ends[0] != nil || len(k.sums) != 1 || k.sums[0] != sha256.Sum256(file) {
				t.Fatalf("%v; %d files", k.ends, len(k.sums))
			}
			if k.count.Lines < 2 && name == sim.ChannelHTTP || k.count.Restarts != 0 || k.count.Repeated > 2048*int64(k.count.Requests) {
				t.Errorf("%+v: it did not go on where it was", k.count)
			}
			if n, want := len(w.of(0, true)), int(took/(20*time.Millisecond)); n < want-5 {
				t.Errorf("%d reports in %v, want about %d", n, took, want)
			}
			if n := b.config.Gauges.Backlog.Load(); n != 0 {
				t.Errorf("%d are under way at the end", n)
			}
		})
	}
}

// preparedWith is prepared with one more skill behind the fleet's reports.
func preparedWith(t *testing.T, w *world, f sim.Fleet, dialer sim.Dialer, k skill.Skill) *bench {
	t.Helper()
	more := f.Skills
	f.Skills = f.Skills[:1]
	b := prepared(t, w, f, dialer)
	b.plan.Fleets[0].Skills = more
	b.config.Skills = append(b.config.Skills, k)
	return b
}

// breakingHTTP serves the file, and breaks each connection after about 200 KB.
func breakingHTTP(t *testing.T, file []byte) (sim.Opener, sim.Scheme, string) {
	server := httptest.NewUnstartedServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		w.Header().Set("ETag", `"1"`)
		nethttp.ServeContent(&weak{w, 200_000}, r, "", time.Time{}, bytes.NewReader(file))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return &http.Opener{}, sim.SchemeHTTP, server.Listener.Addr().String()
}

// weak is an answer that breaks off.
type weak struct {
	nethttp.ResponseWriter
	left int
}

func (w *weak) Write(b []byte) (int, error) {
	if len(b) > w.left {
		_, _ = w.ResponseWriter.Write(b[:w.left])
		_ = nethttp.NewResponseController(w.ResponseWriter).Flush()
		panic(nethttp.ErrAbortHandler)
	}
	w.left -= len(b)
	return w.ResponseWriter.Write(b)
}

// lossyCoAP serves the file behind a relay that loses every twentieth datagram or so, in both directions.
func lossyCoAP(t *testing.T, file []byte) (sim.Opener, sim.Scheme, string) {
	l, err := coapnet.NewListenUDP("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	router := mux.NewRouter()
	router.HandleFunc("/file", func(w mux.ResponseWriter, _ *mux.Message) {
		_ = w.SetResponse(codes.Content, message.AppOctets, bytes.NewReader(file), message.Option{ID: message.ETag, Value: []byte{1}})
	})
	server := udp.NewServer(options.WithMux(router), options.WithErrors(func(error) {}))
	var done sync.WaitGroup
	done.Go(func() { _ = server.Serve(l) })
	relay, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	to, err := net.DialUDP("udp", nil, l.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var device *net.UDPAddr
	draw := rand.New(rand.NewPCG(5, 5))
	lost := func() bool { mu.Lock(); defer mu.Unlock(); return draw.Float64() < 0.05 }
	done.Go(func() {
		for b := make([]byte, 2048); ; {
			n, from, err := relay.ReadFromUDP(b)
			if err != nil {
				return
			}
			mu.Lock()
			device = from
			mu.Unlock()
			if !lost() {
				_, _ = to.Write(b[:n])
			}
		}
	})
	done.Go(func() {
		for b := make([]byte, 2048); ; {
			n, err := to.Read(b)
			if err != nil {
				return
			}
			mu.Lock()
			at := device
			mu.Unlock()
			if !lost() {
				_, _ = relay.WriteToUDP(b[:n], at)
			}
		}
	})
	t.Cleanup(func() { server.Stop(); _ = l.Close(); _ = relay.Close(); _ = to.Close(); done.Wait() })
	d := &coap.Dialer{Binding: sim.Binding{Channel: sim.ChannelCoAP, CoAP: sim.CoAP{AckTimeout: sim.Duration(50 * time.Millisecond), RandomFactor: 1.1}}}
	return d, sim.SchemeCoAP, relay.LocalAddr().String()
}

// A device without power runs no errands: those under way end, and nothing is left of them.
func TestErrandsEndWithThePower(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f, task := updating(sim.ChannelHTTP)
		k := &fetcher{wait: true, begun: make(chan struct{})}
		w := newWorld()
		b := preparedWith(t, w, f, w, k)
		b.config.Opener = func(sim.Role) sim.Opener { return &http.Opener{} }
		b.launch(all(sim.ActConnect, 0), task, all(powerLoss, time.Second))
		<-k.begun
		synctest.Wait()
		if n := b.config.Gauges.Backlog.Load(); n < 1 {
			t.Errorf("an errand under way does not count: %d", n)
		}
		time.Sleep(2 * time.Second)
		if ends := k.over(); len(ends) != 1 || !errors.Is(ends[0], context.Canceled) {
			t.Errorf("%v", ends)
		}
		if waiting, stuck := b.config.Gauges.Backlog.Load(), b.config.Gauges.Stuck.Load(); waiting != 0 || stuck != 0 {
			t.Errorf("%d wait, %d of devices that are off", waiting, stuck)
		}
		b.finish()
	})
}

// Without a binding for a role an errand fails, and says why.
func TestErrandWithoutALine(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f, task := updating(sim.ChannelHTTP)
		f.Bindings = f.Bindings[:1]
		k := &fetcher{}
		w := newWorld()
		b := preparedWith(t, w, f, w, k)
		b.launch(all(sim.ActConnect, 0), task)
		time.Sleep(time.Second)
		b.finish()
		if len(k.ends) != 1 || k.ends[0] == nil || k.ends[0].Error() != `no line for "update": the fleet has no binding that fetches for it` {
			t.Errorf("%v", k.ends)
		}
	})
}
