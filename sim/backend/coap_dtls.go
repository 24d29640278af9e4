package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	coapdtls "github.com/plgd-dev/go-coap/v3/dtls"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	coapnet "github.com/plgd-dev/go-coap/v3/net"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
	"github.com/plgd-dev/go-coap/v3/options"
	udpclient "github.com/plgd-dev/go-coap/v3/udp/client"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/journal"
)

// cidSize is that of the Connection IDs that clients are given, if they ask for one.
const cidSize = 8

// coapService is one CoAP listener, bound and not yet run.
type coapService struct {
	scheme  sim.Scheme
	address string
	run     func(context.Context) error
}

// coapListeners bind what o asks for, one after the other.
func coapListeners(o *Options, j *journal.Writer) (list []func() (coapService, error)) {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	held := new(store)
	core := &CoAPServer{journal: j, log: log, store: held}
	if o.CoAP != "" {
		list = append(list, func() (coapService, error) {
			s, err := newCoAPServer(o.CoAP, j, o.Log, held)
			if err != nil {
				return coapService{}, err
			}
			return coapService{sim.SchemeCoAP, s.Addr(), s.Run}, nil
		})
	}
	if o.CoAPS != "" {
		list = append(list, func() (coapService, error) { return core.listenDTLS(o.CoAPS, &o.Identity) })
	}
	if o.CoAPTCP != "" {
		list = append(list, func() (coapService, error) { return core.listenStream(sim.SchemeCoAPTCP, o.CoAPTCP, nil) })
	}
	if o.CoAPSTCP != "" {
		list = append(list, func() (coapService, error) {
			config, err := o.Identity.config()
			if err != nil {
				return coapService{}, err
			}
			config.NextProtos = []string{"coap"} // RFC 8323 section 8.2
			return core.listenStream(sim.SchemeCoAPSTCP, o.CoAPSTCP, config)
		})
	}
	return list
}

// sessions is a server's memory of DTLS sessions. It implements dtls.SessionStore.
type sessions struct{ all sync.Map }

func (s *sessions) Set(key []byte, v dtls.Session) error { s.all.Store(string(key), v); return nil }
func (s *sessions) Del(key []byte) error                 { s.all.Delete(string(key)); return nil }
func (s *sessions) Get(key []byte) (dtls.Session, error) {
	v, _ := s.all.Load(string(key))
	session, _ := v.(dtls.Session)
	return session, nil
}

// dtlsOptions are the server's side of DTLS 1.2: pre-shared keys and certificates of the run's
// authority, whichever the client comes with, Connection IDs and resumption.
func (i *Identity) dtlsOptions() ([]dtls.ServerOption, error) {
	config, err := i.config()
	if err != nil {
		return nil, err
	}
	authority := &identity.Authority{Seed: i.Seed}
	client := dtls.VerifyClientCertIfGiven
	if i.Mutual {
		client = dtls.RequireAndVerifyClientCert
	}
	return []dtls.ServerOption{
		dtls.WithLoggerFactory(&logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}),
		dtls.WithCertificates(config.Certificates...),
		dtls.WithClientCAs(config.ClientCAs),
		dtls.WithClientAuth(client),
		dtls.WithPSK(func(id []byte) ([]byte, error) { return authority.Key(id), nil }),
		dtls.WithCipherSuites(
			dtls.TLS_PSK_WITH_AES_128_CCM_8, dtls.TLS_PSK_WITH_AES_128_CCM, dtls.TLS_PSK_WITH_AES_128_GCM_SHA256,
			dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM,
			dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		),
		dtls.WithListenConfig(roomy()),
		dtls.WithConnectionIDGenerator(dtls.RandomCIDGenerator(cidSize)),
		dtls.WithSessionStore(new(sessions)),
	}, nil
}

// associationKey is where a connection has the name of its DTLS association, by which a client is known:
// not by its address, which changes.
type associationKey struct{}

// listenDTLS binds a DTLS server. A client that moved is found by its Connection ID, and its answers and
// notifications go to where its newest record came from.
func (s *CoAPServer) listenDTLS(address string, who *Identity) (coapService, error) {
	opts, err := who.dtlsOptions()
	if err != nil {
		return coapService{}, fmt.Errorf("coaps server: %w", err)
	}
	l, err := listenFixed(address, func(address string) (*coapnet.DTLSListener, error) {
		return coapnet.NewDTLSListener("udp", address, coapnet.NewDTLSServerOptions(opts...))
	})
	if err != nil {
		return coapService{}, fmt.Errorf("coaps server: %w", err)
	}
	s.peer = func(cc *udpclient.Conn) string { name, _ := cc.Context().Value(associationKey{}).(string); return name }
	s.send = func(cc *udpclient.Conn) func(m *pool.Message) {
		return func(m *pool.Message) { _ = cc.Session().WriteMessage(m) } // lost: it is repeated
	}
	var associations atomic.Uint64
	return coapService{sim.SchemeCoAPS, l.Addr().String(), func(ctx context.Context) error {
		go every(ctx, notifyTick, func(now time.Time) bool { s.store.repeat(now); return true })
		srv := coapdtls.NewServer(
			options.WithOnNewConn(func(cc *udpclient.Conn) {
				name := fmt.Sprintf("association %d", associations.Add(1))
				cc.SetContextValue(associationKey{}, name)
				cc.AddOnClose(func() { s.store.leave(name) })
			}),
			options.WithRequestMonitor(pong),
			options.WithProcessReceivedMessageFunc(s.process),
			options.WithInactivityMonitor(exchangeLifetime, func(cc *udpclient.Conn) { _ = cc.Close() }),
			options.WithPeriodicRunner(s.periodic(ctx)),
			options.WithReceivedMessageQueueSize(peerQueue),
			options.WithMessagePool(pool.New(4096, 2048)),
			options.WithBlockwise(false, blockwise.SZX1024, 0),
			options.WithErrors(func(err error) { s.log.Debug("coaps", "err", err) }),
		)
		return s.serve(ctx, "coaps", func() error { return srv.Serve(l) }, func() { srv.Stop(); _ = l.Close() })
	}}, nil
}

// periodic is go-coap's runner, which ends with ctx.
func (s *CoAPServer) periodic(ctx context.Context) func(func(time.Time) bool) {
	return func(f func(now time.Time) bool) {
		go every(ctx, sweep, func(now time.Time) bool {
			s.memory.forget(now)
			s.blocks.forget(now)
			return f(now)
		})
	}
}

// serve runs a server until ctx ends or the journal fails, and returns when it has ended.
func (s *CoAPServer) serve(ctx context.Context, name string, run func() error, stop func()) error {
	served := make(chan error, 1)
	go func() { served <- run() }()
	var err error
	select {
	case <-ctx.Done():
	case <-s.journal.Failed():
		err = s.journal.Err()
	case err = <-served:
		served <- nil
		if err == nil {
			err = net.ErrClosed
		}
	}
	stop()
	if e := <-served; err == nil && e != nil && !errors.Is(e, net.ErrClosed) && !strings.Contains(e.Error(), "closed") {
		err = e
	}
	if err != nil {
		return fmt.Errorf("%s server: %w", name, err)
	}
	return nil
}
