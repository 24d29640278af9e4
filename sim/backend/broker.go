package backend

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"

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

// door is one way into the broker. enter makes what mochi shall talk to of a connection; nil leaves
// it as it is.
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

// newBroker listens wherever o wants MQTT.
func newBroker(o *Options, j *journal.Writer) (*Broker, error) {
	b := &Broker{log: o.Log}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.hook = &brokerHook{journal: j, log: b.log}
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

// entrance makes TLS of a connection unless secure is nil, and WebSocket of that if web is set.
// The connection's deadlines bound it.
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
	if err := server.AddHook(b.hook, nil); err != nil {
		b.shut()
		return fmt.Errorf("broker: %w", err)
	}
	for _, d := range b.doors {
		if err := server.AddListener(newTCPListener(d, b.log)); err != nil {
			b.shut()
			return fmt.Errorf("broker: %w", err)
		}
	}
	if err := server.Serve(); err != nil {
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
	return err
}

// brokerOptions tunes mochi for many clients that send little and few that receive a lot.
func brokerOptions(log *slog.Logger) *mochi.Options {
	c := mochi.NewDefaultServerCapabilities()
	c.MaximumClientWritesPending = queueSlots // allocated per client; see gate
	c.MaximumInflight = math.MaxUint16        // mochi drops messages beyond it
	c.ReceiveMaximum = 1024
	c.Compatibilities.NoInheritedPropertiesOnAck = true // a PUBACK must not echo user properties
	return &mochi.Options{
		Capabilities:            c,
		ClientNetReadBufferSize: 512, // a larger payload is read past the buffer
		// Nothing is allocated for it until a queue builds up; then it is what one write carries.
		ClientNetWriteBufferSize: 16 << 10,
		SysTopicResendInterval:   24 * 3600,
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

// brokerHook admits everybody, writes the journal and keeps the gates.
type brokerHook struct {
	mochi.HookBase
	journal *journal.Writer
	log     *slog.Logger
	gates   gates
}

func (h *brokerHook) ID() string { return "myriad" }

func (h *brokerHook) Provides(b byte) bool {
	switch b {
	case mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnPublish, mochi.OnSessionEstablish, mochi.OnSubscribe,
		mochi.OnSubscribed, mochi.OnPacketEncode, mochi.OnPublishDropped, mochi.OnPacketIDExhausted, mochi.OnDisconnect:
		return true
	}
	return false
}

func (h *brokerHook) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

// OnPublish is called before the PUBACK is written and before anybody is sent the message.
func (h *brokerHook) OnPublish(_ *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if h.journal.Note(pk.Payload) != nil {
		return pk, packets.ErrRejectPacket // neither acknowledged nor delivered
	}
	return pk, nil
}

// OnACLCheck is called with write false for each delivery to cl, and for each filter that cl
// subscribes to; OnSubscribed gives the latter back.
func (h *brokerHook) OnACLCheck(cl *mochi.Client, _ string, write bool) bool {
	if !write {
		h.gates.take(cl, h.log)
	}
	return true
}

// OnSessionEstablish comes before a resumed session's subscriptions take effect. A clean session
// needs no gate before it subscribes.
func (h *brokerHook) OnSessionEstablish(cl *mochi.Client, _ packets.Packet) {
	if !cl.Properties.Clean {
		h.gates.open(cl)
	}
}

func (h *brokerHook) OnSubscribe(cl *mochi.Client, pk packets.Packet) packets.Packet {
	h.gates.open(cl)
	return pk
}

func (h *brokerHook) OnSubscribed(cl *mochi.Client, _ packets.Packet, codes []byte) {
	n := 0
	for _, code := range codes {
		if code <= packets.CodeGrantedQos2.Code { // the others failed before the check
			n++
		}
	}
	h.gates.give(cl, n)
}

func (h *brokerHook) OnPacketEncode(cl *mochi.Client, pk packets.Packet) packets.Packet {
	switch pk.FixedHeader.Type {
	case packets.Publish:
		h.gates.give(cl, 1)
	case packets.Disconnect:
		// mochi says goodbye in every version. Before MQTT 5 only clients may; a server closes
		// the connection, MQTT 3.1.1 section 3.14. The packet cannot be written then.
		if cl.Properties.ProtocolVersion < 5 {
			cl.Stop(packets.CodeDisconnect)
		}
	}
	return pk
}

func (h *brokerHook) OnPublishDropped(cl *mochi.Client, _ packets.Packet)    { h.gates.give(cl, 1) }
func (h *brokerHook) OnPacketIDExhausted(cl *mochi.Client, _ packets.Packet) { h.gates.give(cl, 1) }

func (h *brokerHook) OnDisconnect(cl *mochi.Client, _ error, _ bool) { h.gates.shut(cl) }
