package peers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// costEnv makes this process a part of a benchmark: "server", or the devices of "<client>@<endpoint>".
const costEnv = "MYRIAD_SPECIMEN_COST"

// Cost is a benchmark of what clients cost: resident memory of a device that is connected and at rest,
// and processor time, user's and the kernel's, of one acknowledged publish. Each client's devices run in
// a process of their own, over loopback sockets to a server in another.
type Cost struct {
	Clients []Client
	Serve   func(ready func(endpoint string), stop io.Reader) error // the least that clients take for a server, until stop ends
	Devices int
	Rounds  int  // of publishes, for each device
	AtOnce  int  // dials at a time
	Bounded bool // publishes at a time too
}

// Client is one that is measured.
type Client struct {
	Name   string
	Dialer func() sim.Dialer
}

// Main is for TestMain: it runs the tests, unless this process is a part of the benchmark.
func (c *Cost) Main(m *testing.M) {
	var err error
	switch of := os.Getenv(costEnv); of {
	case "":
		os.Exit(m.Run())
	case "server":
		err = c.Serve(func(endpoint string) { fmt.Println(endpoint) }, os.Stdin)
	default:
		name, endpoint, _ := strings.Cut(of, "@")
		for _, client := range c.Clients {
			if client.Name == name {
				var one measured
				if one, err = c.measure(client.Dialer(), endpoint); err == nil {
					err = json.NewEncoder(os.Stdout).Encode(one)
				}
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// measured is a result, for each device, or publish.
type measured struct{ Bytes, Micros, Goroutines float64 }

// Benchmark measures every client.
func (c *Cost) Benchmark(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	part := func(of string) *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), costEnv+"="+of, "GODEBUG=adaptivestackstart=0") // as workers have it
		cmd.Stderr = os.Stderr
		return cmd
	}
	server := part("server")
	in, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		if err := server.Wait(); err != nil {
			b.Error(err)
		}
	})
	endpoint, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	for _, client := range c.Clients {
		b.Run(strings.ReplaceAll(client.Name, " ", "-"), func(b *testing.B) {
			var sum measured
			n := 0.0
			for b.Loop() {
				out, err := part(client.Name + "@" + strings.TrimSpace(endpoint)).Output()
				var one measured
				if err = errors.Join(err, json.Unmarshal(out, &one)); err != nil {
					b.Fatal(err)
				}
				sum.Bytes, sum.Micros, sum.Goroutines = sum.Bytes+one.Bytes, sum.Micros+one.Micros, sum.Goroutines+one.Goroutines
				n++
			}
			b.ReportMetric(sum.Bytes/n, "B/device")
			b.ReportMetric(sum.Micros/n, "cpu-us/publish")
			b.ReportMetric(sum.Goroutines/n, "goroutines/device")
		})
	}
}

// measure runs the devices of one client: all connect and publish once, rest, and publish in rounds.
func (c *Cost) measure(d sim.Dialer, endpoint string) (one measured, err error) {
	var ready, round, done sync.WaitGroup
	begin, end := make(chan bool), make(chan bool)
	slots := make(chan bool, c.AtOnce)
	errs := make(chan error, c.Devices*(c.Rounds+1))
	count := float64(c.Devices)
	goroutines, before := runtime.NumGoroutine(), Resident(1)
	ready.Add(c.Devices)
	round.Add(c.Devices)
	for i := range c.Devices {
		done.Go(func() {
			slots <- true
			talk, _, o := d.Dial(context.Background(), &sim.Caller{ID: fmt.Sprintf("dev-%d", i), Ordinal: sim.Ordinal(i), Key: uint64(i), Endpoint: endpoint})
			<-slots
			if o != sim.OK {
				errs <- fmt.Errorf("dial: %v", o)
				ready.Done()
				round.Done()
				return
			}
			m := &sim.Message{Topic: fmt.Sprintf("fleets/meters/dev-%d/telemetry", i), Payload: bytes.Repeat([]byte("x"), 120), QoS: 1}
			publish := func() {
				if c.Bounded {
					slots <- true
					defer func() { <-slots }()
				}
				m.Seq++
				if o := talk.Publish(m); o != sim.OK {
					errs <- fmt.Errorf("publish: %v", o)
				} else if e := talk.Wait(time.Now().Add(time.Minute)); e.Kind != sim.EventAcked {
					errs <- fmt.Errorf("event %+v", e)
				}
			}
			done.Go(func() { // on a stack that has not dialled, as devices do
				publish()
				ready.Done()
				<-begin
				for range c.Rounds {
					publish()
				}
				round.Done()
				<-end
				talk.Close(true)
			})
		})
	}
	ready.Wait()
	one.Bytes = (Resident(1) - before) / count
	one.Goroutines = float64(runtime.NumGoroutine()-goroutines) / count
	used, err := processor()
	if err != nil {
		return one, err
	}
	close(begin)
	round.Wait()
	now, err := processor()
	one.Micros = float64((now - used).Microseconds()) / (count * float64(c.Rounds))
	close(end)
	done.Wait()
	select {
	case first := <-errs:
		err = errors.Join(err, first)
	default:
	}
	return one, err
}

// processor is the time that the process has had of processors.
func processor() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}
