package backend

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"

	"github.com/myriad-iot/myriad/sim"
)

const (
	// connectDeadline is how long a new connection may take to send CONNECT. mochi has no limit.
	connectDeadline = 30 * time.Second
	// disconnectTimeout limits the write of a DISCONNECT to a client that no longer reads.
	disconnectTimeout = time.Second

	// Accept waits so long, doubling, when it fails: out of descriptors (EMFILE), or a connection
	// that was reset while it queued. New connections queue in the kernel meanwhile.
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = 200 * time.Millisecond
	acceptLogEvery = 5 * time.Second
)

// tcpListener is a mochi listener that continues after errors of Accept. When it closes, it closes every
// connection that it accepted, also those that never sent CONNECT. It implements listeners.Listener.
type tcpListener struct {
	net.Listener
	scheme sim.Scheme
	enter  func(net.Conn) (net.Conn, error) // nil: connections are MQTT as they come
	bye    func(listener string)            // sends DISCONNECT to its clients
	log    *slog.Logger

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil once closed
	wg    sync.WaitGroup        // Serve and the connections
}

func listenTCP(address string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1} // MQTT has its own; the kernel's costs a timer per device
	return lc.Listen(context.Background(), "tcp", address)
}

func newTCPListener(d door, log *slog.Logger, bye func(listener string)) *tcpListener {
	t := &tcpListener{
		Listener: d.listener, scheme: d.scheme, enter: d.enter, bye: bye, log: log, conns: make(map[net.Conn]struct{}),
	}
	t.wg.Add(1) // Serve, which mochi starts in a goroutine of its own
	return t
}

func (t *tcpListener) ID() string              { return string(t.scheme) }
func (t *tcpListener) Protocol() string        { return string(t.scheme) }
func (t *tcpListener) Address() string         { return t.Addr().String() }
func (t *tcpListener) Init(*slog.Logger) error { return nil }

// Serve accepts until Close. mochi calls it once.
func (t *tcpListener) Serve(establish listeners.EstablishFn) {
	defer t.wg.Done()
	pause := acceptPauseMin
	var logged time.Time
	for {
		c, err := t.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			if time.Since(logged) > acceptLogEvery {
				logged = time.Now()
				t.log.Error("accept failed; new connections wait", "err", err)
			}
			time.Sleep(pause)
			pause = min(2*pause, acceptPauseMax)
			continue
		}
		pause = acceptPauseMin
		if !t.add(c) {
			_ = c.Close()
			return
		}
		go t.serve(c, establish)
	}
}

func (t *tcpListener) serve(c net.Conn, establish listeners.EstablishFn) {
	defer t.wg.Done()
	defer t.remove(c)
	_ = c.SetDeadline(time.Now().Add(connectDeadline)) // mochi sets its own after CONNECT
	err := t.talk(c, establish)
	if err != nil {
		t.log.Debug("connection ended", "remote", c.RemoteAddr().String(), "err", err)
	}
}

func (t *tcpListener) talk(c net.Conn, establish listeners.EstablishFn) (err error) {
	if t.enter != nil {
		if c, err = t.enter(c); err != nil {
			return err
		}
	}
	return establish(t.ID(), c)
}

func (t *tcpListener) add(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conns == nil {
		return false
	}
	t.conns[c] = struct{}{}
	t.wg.Add(1)
	return true
}

func (t *tcpListener) remove(c net.Conn) {
	_ = c.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c)
}

// Close ends the listener and its connections, and returns when Serve and the connections have ended;
// before, it sends DISCONNECT to the clients, in its own way (see goodbye). It implements listeners.Listener, and hides
// the Close of net.Listener on purpose.
func (t *tcpListener) Close(listeners.CloseFn) {
	t.mu.Lock()
	conns := t.conns
	t.conns = nil
	t.mu.Unlock()
	if conns == nil {
		return
	}
	_ = t.Listener.Close()
	for c := range conns {
		_ = c.SetWriteDeadline(time.Now().Add(disconnectTimeout))
	}
	t.bye(t.ID())
	for c := range conns {
		_ = c.Close()
	}
	// mochi waits for its clients next, and must not be given another one meanwhile.
	t.wg.Wait()
}
