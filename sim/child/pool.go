package child

import (
	"errors"
	"slices"
	"sync"
)

// ErrClosed says that a pool starts nothing any more.
var ErrClosed = errors.New("no process is started any more")

// Pool starts child processes, some of them ahead of need: those have begun and wait for their line of standard
// input, which takes most of the time that a start takes. A child that was started ahead does nothing until then,
// and it ends as every child does when its parent ends.
//
// The zero value is ready, and a nil one starts nothing ahead. Its methods may be called from any goroutine.
type Pool struct {
	mu      sync.Mutex
	waiting []*Process
	closed  bool
	ahead   int // children that were started ahead, in all
	taken   int // of those, the ones that were told what to do
}

// Ahead starts children until n of the kind wait. It returns after they were executed, and does not wait until
// they have begun. The error says why there are fewer; that is no harm, for Start then starts what is missing.
func (p *Pool) Ahead(k Kind, n int) error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = slices.DeleteFunc(p.waiting, func(w *Process) bool { return !w.Alive() }) // nobody's failure
	for _, w := range p.waiting {
		if w.kind.equal(&k) {
			n--
		}
	}
	for ; n > 0; n-- {
		if p.closed {
			return ErrClosed
		}
		w, err := wait(k)
		if err != nil {
			return err
		}
		p.waiting = append(p.waiting, w)
		p.ahead++
	}
	return nil
}

// Start gives the command to a child that waits, or starts one now. If it returns an error, no process and no
// goroutine of this call is left.
func (p *Pool) Start(c Command) (*Process, error) {
	if p == nil {
		return Start(c)
	}
	for w := p.take(&c.Kind); w != nil; w = p.take(&c.Kind) {
		if w.tell(c) {
			p.mu.Lock()
			p.taken++
			p.mu.Unlock()
			return w, nil
		}
		<-w.Done() // it ended while it waited
	}
	return Start(c)
}

// take removes a child of the kind from those that wait.
func (p *Pool) take(k *Kind) *Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.waiting, func(w *Process) bool { return w.kind.equal(k) })
	if i < 0 {
		return nil
	}
	w := p.waiting[i]
	p.waiting = slices.Delete(p.waiting, i, i+1)
	return w
}

// Close ends the children that wait, and returns when they have ended. The pool starts nothing ahead after that.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, w := range p.waiting {
		w.Kill()
	}
	p.waiting = nil
}

// Counts says how many children were started ahead so far, and how many of them were told what to do.
func (p *Pool) Counts() (ahead, taken int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ahead, p.taken
}

func (k *Kind) equal(other *Kind) bool {
	return k.Apart == other.Apart && slices.Equal(k.Args, other.Args)
}
