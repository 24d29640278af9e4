package link

import (
	"context"
	"errors"
	"hash/fnv"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

var errOwnClient = errors.New("weather needs Myriad's own client: go-coap reads its socket itself")

// SetWeather puts the links of the binding's devices under w, from the next Dial on; nil: nothing is wrong. It
// must not be called while another goroutine dials. The error is about a client whose sockets cannot be
// under weather: go-coap's.
func (d *Dialer) SetWeather(w sim.Weather) error {
	if w != nil && d.client == sim.ClientGoCoAP {
		return errOwnClient
	}
	d.weather, d.nat = w, nil
	if t, ok := w.(sim.Translated); ok && t.Through() != nil {
		d.nat = t
	}
	return nil
}

// Drain waits until the conns under weather that were closed have told their peers so, or until ctx is done.
// If the process ends before, the peers never get what these conns sent last.
func (d *Dialer) Drain(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		d.leaving.mu.Lock()
		defer d.leaving.mu.Unlock()
		d.leaving.changed().Broadcast()
	})
	defer stop()
	d.leaving.mu.Lock()
	defer d.leaving.mu.Unlock()
	for d.leaving.conns > 0 && ctx.Err() == nil {
		d.leaving.changed().Wait()
	}
	if d.leaving.conns > 0 {
		return ctx.Err()
	}
	return nil
}

// leaving counts the conns that are closed, but whose sockets are not yet.
type leaving struct {
	mu    sync.Mutex
	conns int
	cond  *sync.Cond // nil until somebody waits
}

// changed is made when it is first wanted. The caller holds the lock.
func (l *leaving) changed() *sync.Cond {
	if l.cond == nil {
		l.cond = sync.NewCond(&l.mu)
	}
	return l.cond
}

func (l *leaving) add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns += n; l.conns == 0 && l.cond != nil {
		l.cond.Broadcast()
	}
}

// expose makes the conn of a caller under weather, which has no socket yet.
func (d *Dialer) expose(c *sim.Caller, stream bool) (*weathered, error) {
	if c.T0.IsZero() {
		return nil, errors.New("a caller under weather does not say when its run began")
	}
	now := time.Now()
	return &weathered{
		apart:  d.late(c),
		dialer: d, stream: stream, zero: now.Add(-now.Sub(c.T0)), nat: d.translate(), traffic: d.traffic(c),
		// Each call of a device has other losses, and so has each of its bindings.
		spot: spot{weather: d.weather, device: c.Ordinal, key: c.Key ^ d.salt, first: uint64(c.Attempt) << 32},
	}, nil
}

// saltOf tells the bindings of a device apart.
func saltOf(r sim.Role) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r)) // it never fails
	return h.Sum64()
}

// dialTCPThrough is dialTCP under weather: the first segment goes through it to the peer, and the answer
// back.
func (d *Dialer) dialTCPThrough(ctx context.Context, c *sim.Caller, host string) (net.Conn, error) {
	w, err := d.expose(c, true)
	if err != nil {
		return nil, err
	}
	to, _ := netip.ParseAddrPort(host)
	if err := w.cross(ctx, &w.out.way, sim.SaltUp, &w.out.count); err != nil {
		return nil, failed("dial", "tcp", to, err)
	}
	conn, err := d.connect(ctx, c, host)
	if err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
		return nil, err
	}
	if late := w.cross(ctx, &w.in.way, sim.SaltDown, &w.in.count); late != nil {
		if conn != nil {
			_ = setLinger(conn, 0)
			_ = conn.Close()
		}
		return nil, failed("dial", "tcp", to, late)
	}
	if err != nil {
		return nil, err
	}
	w.Conn = conn
	w.nat.begin(w.instant())
	return w, nil
}

// cross waits until a segment without content, of a connection's beginning, has come through a way.
func (c *weathered) cross(ctx context.Context, to **way, salt uint64, count *uint32) error {
	at := c.instant()
	w := c.open(to, salt, at, 0)
	if w == nil {
		pass(nil, count, 0)
		return nil
	}
	_, arrives := w.segment(&c.spot, at, 0, timeoutFirst)
	cancelled := make(chan struct{})
	stop := sim.AfterFunc(ctx, func() { close(cancelled) })
	defer stop()
	deadline, _ := ctx.Deadline()
	c.await(cancelled, arrives, deadline)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case c.instant() < arrives:
		return os.ErrDeadlineExceeded
	}
	return nil
}
