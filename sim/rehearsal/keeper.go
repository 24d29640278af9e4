package rehearsal

import (
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/host"
)

// keeper has the processes of the workers that were started here. It implements [cluster.Keeper].
type keeper struct {
	root fs.FS
	self string // this machine's name

	mu   sync.Mutex
	kept map[int]*keptWorker // by process number
}

type keptWorker struct {
	*child.Process
	at   time.Time     // of the last look; zero: there was none
	work time.Duration // that had been done, or waited for a core, by then
}

func newKeeper() *keeper {
	return &keeper{root: os.DirFS("/"), self: self().Host, kept: make(map[int]*keptWorker)}
}

func (k *keeper) add(p *child.Process) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept[p.Pid()] = &keptWorker{Process: p}
}

func (k *keeper) of(name string, pid int) *keptWorker {
	if name != k.self {
		return nil
	}
	return k.kept[pid]
}

// workShare is the share of the time that a process which is only late works, or waits for a core. One that was
// stopped, or waits for something that never comes, does neither.
const workShare = 0.25

// Starved implements [cluster.Keeper]. The first look at a process tells nothing, and counts as true.
func (k *keeper) Starved(name string, pid int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.of(name, pid)
	if w == nil {
		return false
	}
	ran, waited, ok := host.Work(k.root, pid)
	now := time.Now()
	passed, done := now.Sub(w.at), ran+waited-w.work
	first := w.at.IsZero() || passed > 10*time.Second // of this silence
	w.at, w.work = now, ran+waited
	return ok && (first || starved(done, passed))
}

// starved reports whether a process that has worked, or waited for a core, for a part of the time is only late.
func starved(done, passed time.Duration) bool { return float64(done) >= workShare*float64(passed) }

// End implements [cluster.Keeper].
func (k *keeper) End(name string, pid int) bool {
	k.mu.Lock()
	w := k.of(name, pid)
	k.mu.Unlock()
	if w == nil {
		return false
	}
	w.Kill()
	return true
}
