package rehearsal

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim/child"
)

// garbage is what the collector of a process in virtual time lets grow, in percent of what lives: the default took
// a third of the CPU, and a process of 1,000 devices lives in less than 100 MB.
const garbage = 400

// virtualMain runs the story that the first line of standard input says in virtual time, and ends the process, with
// status 0 when there is a result. What it shows goes to the child's pipe.
//
// Virtual time is that of [testing/synctest], which wants a *testing.T; testing.Main makes one in any program.
// It prints PASS to standard output, which nobody reads, and ends the process by itself.
func virtualMain() {
	// One thread runs all devices: they wait for each other all the time, and other threads would only be woken and
	// sent to sleep. It also makes the order in which they run the same each time, but for what the runtime draws.
	runtime.GOMAXPROCS(1)
	if os.Getenv(envPercent) == "" {
		debug.SetGCPercent(garbage)
	}
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	var o imagining
	if err == nil {
		err = json.Unmarshal(line, &o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "virtual: read what to do:", err)
		os.Exit(1)
	}
	if err := o.Plan.Reveal(o.Secrets); err != nil {
		fmt.Fprintln(os.Stderr, "virtual:", err)
		os.Exit(1)
	}
	ctx, release := child.Lifetime(in)
	defer release()
	var asked atomic.Bool // to end; a channel from outside would keep virtual time from passing
	go func() {
		<-ctx.Done()
		asked.Store(true)
	}()
	var seconds atomic.Int64 // of virtual time that have passed
	go mindClock(&seconds)
	test := testing.InternalTest{Name: "virtual", F: func(t *testing.T) {
		screen := bufio.NewWriter(child.Pipe())
		var result *reports.Result
		var target map[string]string
		synctest.Test(t, func(*testing.T) {
			v := &imagined{order: &o, asked: asked.Load, began: time.Now(), passed: func() { seconds.Add(1) }}
			v.live = newLive(&Display{W: flushed{screen}, Quiet: o.Quiet}, &scenarios.Story{Plan: *o.Plan})
			v.live.every = max(v.live.every, (o.Plan.Duration().D() / 20).Truncate(time.Second))
			result, err = v.run()
			target = v.target.Describe()
		})
		if err == nil {
			run := &reports.Run{Stories: []*reports.Result{result}}
			run.Info.Schema, run.Info.Target = reports.Schema, target
			err = render.Write(o.Dir, run)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}}
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{test}, nil, nil)
}

// still is how long virtual time may stand still, in real time: a second of a big fleet takes long.
const still = 3 * time.Minute

// mindClock ends the process if virtual time stands still, which it does for ever when a goroutine waits for a lock
// whose owner waits for time to pass: for the bubble that is work. What all goroutines did is on standard error.
func mindClock(seconds *atomic.Int64) {
	for last := int64(-1); ; {
		now := seconds.Load()
		if now == last {
			_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
			fmt.Fprintf(os.Stderr, "virtual time stood still for %v at second %d: this is a fault of Myriad's own\n", still, now)
			os.Exit(1)
		}
		last = now
		time.Sleep(still)
	}
}

// flushed writes through at once.
type flushed struct{ *bufio.Writer }

// Write implements io.Writer.
func (f flushed) Write(b []byte) (int, error) {
	n, err := f.Writer.Write(b)
	if err == nil {
		err = f.Flush()
	}
	return n, err
}
