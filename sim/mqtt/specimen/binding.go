package specimen

import (
	"context"
	"errors"
	"math"
	"net"
	"os"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

const (
	defaultKeepAlive      = 60 * time.Second
	defaultConnectTimeout = 10 * time.Second
	defaultInflight       = 20
	maxPing               = 10 * time.Second // for PINGRESP; the keep-alive if that is shorter
)

// DialConn connects the transport of a device within ctx.
type DialConn = func(ctx context.Context, c *sim.Caller) (net.Conn, error)

func connect(ctx context.Context, dial DialConn, c *sim.Caller) (net.Conn, error) {
	if dial != nil {
		return dial(ctx, c)
	}
	tcp := net.Dialer{KeepAlive: -1}
	if c.Source.IsValid() {
		tcp.LocalAddr = net.TCPAddrFromAddrPort(c.Source)
	}
	return tcp.DialContext(ctx, "tcp", c.Endpoint)
}

// opened are the facts of a transport that has just been connected; the call began at called.
func opened(conn net.Conn, called time.Time) sim.Facts {
	facts := sim.Facts{Opened: time.Now()}
	if h, ok := conn.(sim.Handshaker); ok {
		facts.Opened = called
		facts.Secured, facts.Resumed = h.Handshake()
	}
	if o, ok := conn.(interface{ Opened() time.Time }); ok {
		facts.Opened = o.Opened()
	}
	return facts
}

func connectTimeout(b *sim.Binding) time.Duration {
	if t := b.ConnectTimeout.D(); t > 0 {
		return t
	}
	return defaultConnectTimeout
}

// keepAlive is in whole seconds, as it goes on the wire, rounded up.
func keepAlive(b *sim.Binding) time.Duration {
	k := b.KeepAlive.D()
	if k < 0 {
		return 0 // off
	}
	if k <= 0 {
		return defaultKeepAlive
	}
	return min(k+time.Second-1, math.MaxUint16*time.Second).Truncate(time.Second)
}

func window(b *sim.Binding) int {
	if b.Inflight > 0 {
		return min(b.Inflight, math.MaxUint16)
	}
	return defaultInflight
}

// names stand in texts of the binding.
type names struct{ id, fleet string }

// expand puts the device's names in the place of {id} and {fleet}.
func (n names) expand(text string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return strings.NewReplacer("{id}", n.id, "{fleet}", n.fleet).Replace(text)
}

// subscriptions are those of the binding, for the device.
func (n names) subscriptions(b *sim.Binding) []sim.Subscription {
	var list []sim.Subscription
	for _, s := range b.MQTT.Subscribe {
		list = append(list, sim.Subscription{Filter: n.expand(s.Filter), QoS: s.QoS})
	}
	return list
}

// granted is the outcome of a SUBACK code. A lower QoS than was asked for is no error for the libraries.
func granted(code byte) sim.Outcome {
	switch {
	case code == 0x87:
		return sim.MQTTNotAuthorized
	case code >= 0x80:
		return sim.MQTTNotSubscribed
	}
	return sim.OK
}

// dialed is the outcome of an error before the device was ready; silence is that of none in time.
func dialed(ctx context.Context, err error, silence sim.Outcome) sim.Outcome {
	var timeout net.Error
	switch {
	case ctx.Err() == context.Canceled:
		return sim.AppUnknown
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return silence
	}
	return lost(err)
}

// lost is the outcome of the error that a library gives for the end of its connection. Those of the
// transport have a class; what is left is what the library could not read.
func lost(err error) sim.Outcome {
	text := strings.ToLower(err.Error())
	if strings.Contains(text, "pingresp") {
		return sim.MQTTKeepAliveTimeout
	}
	if o := mqtt.OutcomeOf(err); o != sim.LocalOther {
		return o
	}
	return sim.MQTTMalformed
}
