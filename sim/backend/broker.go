package backend

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net"
	"slices"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/journal"
	"github.com/myriad-iot/myriad/sim/link"
)

// Broker is an MQTT 3.1.1 and 5 broker that lets everybody in. It keeps nothing on disk: sessions
// and retained messages live as long as it does.
type Broker struct {
	doors []door
	hook  *brokerHook
	log   *slog.Logger
}

// door is one listener of the broker. enter wraps an accepted connection, in TLS or WebSocket, before
// mochi uses it; nil: the connection is used as it is.
type door struct {
	scheme   sim.Scheme
	listener net.Listener
	enter    func(net.Conn) (net.Conn, error)
}

// NewBroker listens on address; port 0 takes a free port outside the ephemeral range. Each stamped
// message is written to records, which may be nil, before it is acknowledged. log may be nil.
func NewBroker(address string, records io.Writer, log *slog.Logger) (*Broker, error) {
	return newBroker(&Options{MQTT: address, Log: log}, journal.NewWriter(records, 0))
}

// NewBrokerAt is NewBroker for a listener that is there already, for plain MQTT, on a network in memory and in virtual
// time. Run closes it. Such a broker has no $SYS topics and keeps retained messages for ever.
func NewBrokerAt(l net.Listener, records io.Writer, log *slog.Logger) *Broker {
	b := emptyBroker(log, journal.NewWriter(records, 0))
	b.doors, b.hook.bare = []door{{scheme: sim.SchemeMQTT, listener: l}}, new(bareLoop)
	return b
}

// emptyBroker listens nowhere.
func emptyBroker(log *slog.Logger, j *journal.Writer) *Broker {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Broker{log: log, hook: &brokerHook{journal: j, hub: hub{log: log}}}
}

// newBroker listens wherever o wants MQTT.
func newBroker(o *Options, j *journal.Writer) (*Broker, error) {
	b := emptyBroker(o.Log, j)
	for _, scheme := range sim.Schemes() {
		address := o.address(scheme)
		if scheme.Channel() != sim.ChannelMQTT || address == "" {
			continue
		}
		d, err := open(scheme, address, o)
		if err != nil {
			b.shut()
			return nil, fmt.Errorf("broker: %s: %w", scheme, err)
		}
		b.doors = append(b.doors, d)
	}
	return b, nil
}

// open listens on address.
func open(scheme sim.Scheme, address string, o *Options) (door, error) {
	d := door{scheme: scheme}
	if t := scheme.Transport(); t != sim.TransportPlain {
		var secure *tls.Config
		if t.Secured() {
			var err error
			if secure, err = o.Identity.config(); err != nil {
				return d, err
			}
		}
		d.enter = entrance(secure, t == sim.TransportWS || t == sim.TransportWSS)
	}
	var err error
	d.listener, err = listenFixed(address, listenTCP)
	return d, err
}

// entrance returns a function that does the TLS handshake on a connection, unless secure is nil, and then
// the WebSocket handshake if web is set. The deadlines of the connection limit both.
func entrance(secure *tls.Config, web bool) func(net.Conn) (net.Conn, error) {
	var upgrader link.Upgrader
	return func(c net.Conn) (net.Conn, error) {
		if secure != nil {
			s := tls.Server(c, secure)
			if err := s.Handshake(); err != nil {
				return nil, err
			}
			c = s
		}
		if web {
			return upgrader.Accept(c)
		}
		return c, nil
	}
}

// Addr is the address that the broker listens on for plain MQTT.
func (b *Broker) Addr() string {
	if list := b.endpoints()[sim.SchemeMQTT]; len(list) > 0 {
		return list[0]
	}
	return ""
}

// endpoints are the addresses that the broker listens on.
func (b *Broker) endpoints() sim.Endpoints {
	at := make(sim.Endpoints)
	for _, d := range b.doors {
		at[d.scheme] = []string{d.listener.Addr().String()}
	}
	return at
}

// shut closes what listens.
func (b *Broker) shut() {
	for _, d := range b.doors {
		_ = d.listener.Close()
	}
}

// Run serves until ctx ends; then it disconnects all clients and returns nil. It returns an error
// when the journal fails, since then nothing could be acknowledged. It must be called once.
func (b *Broker) Run(ctx context.Context) error {
	server := mochi.New(brokerOptions(b.log))
	b.hook.server, b.hook.kept.index = server, mochi.NewTopicsIndex()
	server.Topics.Subscribe("myriad", packets.Subscription{Filter: everyFilter})
	if err := server.AddHook(b.hook, nil); err != nil {
		b.shut()
		return fmt.Errorf("broker: %w", err)
	}
	for _, d := range b.doors {
		if err := server.AddListener(newTCPListener(d, b.log, func(listener string) { goodbye(server, listener) })); err != nil {
			b.shut()
			return fmt.Errorf("broker: %w", err)
		}
	}
	var looping sync.WaitGroup
	defer looping.Wait()
	if b.hook.bare != nil {
		during, stop := context.WithCancel(ctx)
		defer stop()
		looping.Go(func() { b.hook.bare.run(during, b.hook) })
		server.Listeners.ServeAll(server.EstablishConnection)
	} else if err := server.Serve(); err != nil {
		b.shut()
		return fmt.Errorf("broker: %w", err)
	}
	var err error
	select {
	case <-ctx.Done():
	case <-b.hook.journal.Failed():
		err = fmt.Errorf("broker: %w", b.hook.journal.Err())
	}
	if e := server.Close(); e != nil && err == nil {
		err = fmt.Errorf("broker: %w", e)
	}
	b.hook.late.end()
	b.hook.hub.end()
	return err
}

// goodbye sends a DISCONNECT to all clients of a listener, in the order of their names, so that virtual time is the same
// each time. What mochi has for it (Clients.GetByListener) takes its read lock a second time, and waits for ever when
// a client leaves between the two.
func goodbye(s *mochi.Server, listener string) {
	all := s.Clients.GetAll()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if cl := all[id]; cl.Net.Listener == listener && !cl.Closed() {
			_ = s.DisconnectClient(cl, packets.ErrServerShuttingDown) // it may be gone
		}
	}
}

// brokerOptions tunes mochi for many clients that send little and few that receive a lot.
func brokerOptions(log *slog.Logger) *mochi.Options {
	c := mochi.NewDefaultServerCapabilities()
	c.MaximumClientWritesPending = 1   // allocated per client, and not used; see deliver.go
	c.MaximumInflight = math.MaxUint16 // the largest window that a client may ask for
	c.ReceiveMaximum = 1024
	c.Compatibilities.NoInheritedPropertiesOnAck = true // a PUBACK must not echo user properties
	return &mochi.Options{
		Capabilities:            c,
		ClientNetReadBufferSize: 512, // a larger payload is read past the buffer
		SysTopicResendInterval:  24 * 3600,
		// mochi warns once per bad packet or broken connection, which under faults is once per device.
		Logger: slog.New(atLeast{log.Handler(), slog.LevelError}),
	}
}

// atLeast drops records below a level before they are built.
type atLeast struct {
	slog.Handler
	level slog.Level
}

// Enabled implements slog.Handler.
func (h atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level && h.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup implements slog.Handler.
func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.Handler.WithGroup(name), h.level}
}

// brokerHook accepts every client, writes the journal and delivers messages; see deliver.go for the latter.
type brokerHook struct {
	mochi.HookBase
	journal *journal.Writer
	hub     hub
	wanted  sync.Map // *mochi.Client -> []bool, while it subscribes: which filters bring retained messages
	owed    sync.Map // *mochi.Client -> packets.Packet, of QoS 2: accepted, and not delivered yet
	kept    retained
	late    lateWills
	server  *mochi.Server
	bare    *bareLoop // nil: mochi's own loop runs
}

func (h *brokerHook) ID() string { return "myriad" }

func (h *brokerHook) Provides(b byte) bool {
	switch b {
	case mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnPublish, mochi.OnPublished, mochi.OnSessionEstablish,
		mochi.OnSessionEstablished, mochi.OnSubscribe, mochi.OnSubscribed, mochi.OnPacketEncode, mochi.OnPacketRead,
		mochi.OnPacketProcessed, mochi.OnDisconnect, mochi.OnClientExpired, mochi.OnSelectSubscribers, mochi.OnRetainMessage:
		return true
	}
	return false
}

func (h *brokerHook) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

func (h *brokerHook) OnACLCheck(*mochi.Client, string, bool) bool { return true }

// OnPublish is called before the PUBACK is written and before anybody is sent the message.
func (h *brokerHook) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Qos == 2 && cl.IsTakenOver() { // another connection has the session: the client repeats it there
		return pk, packets.ErrRejectPacket
	}
	if h.journal.Note(pk.Payload) != nil {
		return pk, packets.ErrRejectPacket // neither acknowledged nor delivered
	}
	if pk.FixedHeader.Qos == 2 {
		h.owed.Store(cl, pk)
	}
	return pk, nil
}

// OnPublished comes when a message has been delivered.
func (h *brokerHook) OnPublished(cl *mochi.Client, pk packets.Packet) {
	if pk.FixedHeader.Qos == 2 {
		h.owed.Delete(cl)
	}
}

// deliverOwed delivers the message of QoS 2 that a client's last packet was, if mochi has not: it gives it up when the
// PUBREC cannot be written, and knows it already when the client repeats it, so that nobody would ever get it.
func (h *brokerHook) deliverOwed(cl *mochi.Client) {
	if pk, ok := h.owed.LoadAndDelete(cl); ok {
		pk := pk.(packets.Packet)
		h.OnSelectSubscribers(h.server.Topics.Subscribers(pk.TopicName), pk)
	}
}

// OnSessionEstablish comes before an earlier connection of the same client is ended, for which mochi waits. That
// one may be writing to somebody who does not read.
func (h *brokerHook) OnSessionEstablish(cl *mochi.Client, _ packets.Packet) {
	if earlier, ok := h.server.Clients.Get(cl.ID); ok && !earlier.Closed() {
		_ = earlier.Net.Conn.SetWriteDeadline(time.Now().Add(disconnectTimeout))
	}
}

func (h *brokerHook) OnPacketEncode(cl *mochi.Client, pk packets.Packet) packets.Packet {
	switch pk.FixedHeader.Type {
	case packets.Connack:
		if pk.ReasonCode == packets.CodeSuccess.Code {
			h.hub.join(cl, pk.SessionPresent)
		}
	case packets.Pubrec:
		// The answer to a PUBLISH that is repeated is the same as to the first ([MQTT-4.3.3-10]); mochi says that its
		// identifier is in use, which is an error.
		if pk.ReasonCode == packets.ErrPacketIdentifierInUse.Code {
			pk.ReasonCode, pk.Properties = packets.CodeSuccess.Code, packets.Properties{}
		}
	case packets.Disconnect:
		// mochi sends DISCONNECT in every version. Before MQTT 5 only clients may send it, and a server
		// closes the connection (MQTT 3.1.1 section 3.14). The packet cannot be written then.
		if cl.Properties.ProtocolVersion < 5 {
			cl.Stop(packets.CodeDisconnect)
		}
	}
	return pk
}

// OnSessionEstablished comes when CONNACK has been written. mochi's own window is closed for good: with an open one
// it looks for messages that wait, of which it has none, and may lock itself out (Inflight.NextImmediate).
func (h *brokerHook) OnSessionEstablished(cl *mochi.Client, _ packets.Packet) {
	cl.State.Inflight.ResetSendQuota(0)
	h.late.take(cl)
	if s := h.hub.of(cl.ID); s != nil {
		s.start(cl)
	}
}

func (h *brokerHook) OnDisconnect(cl *mochi.Client, err error, expire bool) {
	h.late.part(cl, h.server, err == nil)
	h.wanted.Delete(cl)
	h.owed.Delete(cl)
	if h.bare != nil && !expire {
		h.bare.absent.Store(true)
	}
	h.hub.part(cl, !expire)
}

// OnClientExpired comes when a session that was kept has expired. mochi leaves its subscriptions behind.
func (h *brokerHook) OnClientExpired(cl *mochi.Client) {
	h.server.UnsubscribeClient(cl)
	if s := h.hub.of(cl.ID); s != nil && s.absent() {
		h.hub.sessions.CompareAndDelete(cl.ID, s)
	}
}

// BrokerVersion names the library and its version, for reports.
func BrokerVersion() string { return "mochi " + mochi.Version }
