package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// lock prevents that two buses use one folder: a stream that a run is still writing must not be salvaged.
func lock(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil { // what is shipped may hold secrets
		return nil, fmt.Errorf("bus: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("a run is using %s: %w", dir, err), f.Close())
	}
	return f, nil
}

const maxPayload = 8 << 20 // a plan may hold a replayed signal

// openBus starts a NATS server that keeps its streams in dir. listen is host:port, "" for none.
func openBus(dir, listen, token string, secure *tls.Config) (*server.Server, error) {
	o := &server.Options{
		ServerName: "myriad", Authorization: token, NoLog: true, NoSigs: true, MaxPayload: maxPayload,
		JetStream: true, StoreDir: dir, DontListen: listen == "", TLSConfig: secure,
		PingInterval: 10 * time.Second, TLSTimeout: 5, AuthTimeout: 5,
	}
	if listen != "" {
		host, port, err := net.SplitHostPort(listen)
		if err != nil {
			return nil, fmt.Errorf("%q is no address to listen on: write host:port: %w", listen, err)
		}
		o.Host = host
		if o.Port, err = strconv.Atoi(port); err != nil {
			return nil, fmt.Errorf("%q is no address to listen on: %w", listen, err)
		}
		if o.Port == 0 {
			o.Port = server.RANDOM_PORT
		}
	}
	s, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("bus: cannot listen on %s", listen)
	}
	return s, nil
}

func closeBus(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// Place says where a coordinator is and how to connect to it.
type Place struct {
	URL         string `json:"url"` // nats://host:port, or tls://host:port
	Token       string `json:"token"`
	Fingerprint string `json:"fingerprint,omitempty"` // of the coordinator's certificate, SHA-256 in hex; "" knows it by the token's key
	SameClock   bool   `json:"same_clock,omitempty"`  // the worker runs on the coordinator's machine
}

// connect dials once. It checks who listens before it sends the token, except on this machine.
func (p *Place) connect() (*nats.Conn, error) {
	secure, err := p.pinned()
	if err != nil {
		return nil, err
	}
	options := []nats.Option{nats.Token(p.Token), nats.MaxReconnects(-1), nats.ReconnectWait(200 * time.Millisecond),
		nats.Timeout(5 * time.Second), nats.Name("worker")}
	options = append(options, func(o *nats.Options) error { o.TLSConfig, o.Secure = secure, !p.clear(); return nil })
	c, err := nats.Connect(p.URL, options...)
	switch {
	case errors.Is(err, nats.ErrAuthorization):
		return nil, fmt.Errorf("join %s: the token is wrong", p.URL)
	case err != nil:
		return nil, fmt.Errorf("join %s: %w", p.URL, err)
	}
	return c, nil
}

const retryEvery = 250 * time.Millisecond

// await connects; while nobody listens there it tries again, for as long as patience.
func (p *Place) await(ctx context.Context, patience time.Duration) (*nats.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		c, err := p.connect()
		if patience == 0 || err == nil || !absent(err) {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(retryEvery):
		}
	}
}

// absent reports whether an error means that the coordinator does not run yet: its name is not known, or its port
// is closed.
func absent(err error) bool {
	var network *net.OpError
	var name *net.DNSError
	return errors.As(err, &name) || errors.As(err, &network) && network.Op == "dial" || errors.Is(err, nats.ErrNoServers)
}
