package probe

import (
	"io"
	"net"
	"sync"
	"testing"
)

// wire is a TCP proxy between a probe and its broker that can be cut.
type wire struct {
	net.Listener
	address, to string

	mu    sync.Mutex
	down  bool
	mute  bool // what the probe says is swallowed, in connections that exist
	conns []net.Conn
}

func startWire(t *testing.T, to string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &wire{Listener: listener, address: listener.Addr().String(), to: to}
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go l.carry(near)
		}
	}()
	t.Cleanup(func() {
		l.cut(true)
		_ = l.Close()
	})
	return l
}

func (l *wire) carry(near net.Conn) {
	l.mu.Lock()
	if l.down {
		l.mu.Unlock()
		_ = near.Close()
		return
	}
	far, err := net.Dial("tcp", l.to)
	if err != nil {
		l.mu.Unlock()
		_ = near.Close()
		return
	}
	l.conns = append(l.conns, near, far)
	l.mu.Unlock()
	go func() {
		_, _ = io.Copy(near, far)
		_ = near.Close()
	}()
	buf := make([]byte, 4096)
	for {
		n, err := near.Read(buf)
		l.mu.Lock()
		muted := l.mute
		l.mu.Unlock()
		if err == nil && !muted {
			_, err = far.Write(buf[:n])
		}
		if err != nil {
			_ = far.Close()
			return
		}
	}
}

func (l *wire) muteUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mute = true
}

// cut ends all connections and lets none through, or lets them through again.
func (l *wire) cut(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down, l.mute = down, false
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}
