package specimen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/plgd-dev/go-coap/v3/net/blockwise"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/udp"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
)

const (
	defaultConnectTimeout = 10 * time.Second

	// go-coap's own defaults, which have to be given again with whatever is changed.
	libraryAckTimeout    = 2 * time.Second
	libraryMaxRetransmit = 4
	libraryTransfer      = 3 * time.Second
	libraryToken         = 8
)

var errNoObserve = errors.New("the go-coap client observes no resources and takes no commands here")

// GoCoAP opens conversations over go-coap's UDP client for the devices of one binding. It must not be
// changed after the first Dial.
type GoCoAP struct {
	Binding       sim.Binding    // ConnectTimeout and CoAP are used
	ContentFormat coap.MediaType // of payloads; the zero value is text/plain

	// DialUDP opens a device's socket; nil is [net.Dialer], from the caller's source.
	DialUDP func(ctx context.Context, c *sim.Caller) (*net.UDPConn, error)
}

// Check reports what of the binding the library does not do.
func (d *GoCoAP) Check() error {
	b, p := &d.Binding, &d.Binding.CoAP
	switch method := strings.ToUpper(p.Method); {
	case b.Transport != sim.TransportPlain:
		return fmt.Errorf("the go-coap client over %q is not available in this version", b.Transport)
	case len(p.Observe) > 0:
		return errNoObserve
	case method != "" && method != "POST" && method != "PUT":
		return fmt.Errorf("the go-coap client sends no reports with method %q", p.Method)
	case p.TokenSize != 0 && p.TokenSize != libraryToken:
		return fmt.Errorf("the go-coap client has tokens of %d bytes, not %d", libraryToken, p.TokenSize)
	case p.RandomFactor > 1:
		return errors.New("the go-coap client has no ACK_RANDOM_FACTOR")
	case p.MaxRetransmit != nil && *p.MaxRetransmit < 1:
		return errors.New("the go-coap client forgets a message before its answer if MAX_RETRANSMIT is 0")
	}
	return nil
}

// Dial implements [sim.Dialer]. The conversation is established when Ping returns; a binding that Check
// complains about is LocalOther.
func (d *GoCoAP) Dial(ctx context.Context, caller *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	if d.Check() != nil {
		return nil, sim.Facts{}, sim.LocalOther
	}
	within, cancel := context.WithTimeout(ctx, cmp.Or(max(d.Binding.ConnectTimeout.D(), 0), defaultConnectTimeout))
	defer cancel()
	socket, err := d.connect(within, caller)
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, sim.Facts{}, sim.AppUnknown
		}
		return nil, sim.Facts{}, coap.OutcomeOf(err)
	}
	facts := sim.Facts{Opened: time.Now()}
	c := newConversation(d)
	c.conn = udp.Client(socket, d.options(c.told)...)
	close(c.made)
	if err := c.ping(within); err != nil {
		o := c.unanswered(within, err)
		if errors.Is(ctx.Err(), context.Canceled) {
			o = sim.AppUnknown
		}
		c.Close(true)
		return nil, sim.Facts{}, o
	}
	facts.Established, facts.Interrupter = time.Now(), c
	return c, facts, sim.OK
}

func (d *GoCoAP) connect(ctx context.Context, caller *sim.Caller) (*net.UDPConn, error) {
	if d.DialUDP != nil {
		return d.DialUDP(ctx, caller)
	}
	var dialer net.Dialer
	if caller.Source.IsValid() {
		dialer.LocalAddr = net.UDPAddrFromAddrPort(caller.Source)
	}
	conn, err := dialer.DialContext(ctx, "udp", caller.Endpoint)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil // as documented for "udp"
}

// options are what a user of the library would set for this binding.
func (d *GoCoAP) options(told func(error)) []udp.Option {
	p := &d.Binding.CoAP
	list := []udp.Option{options.WithCloseSocket(), options.WithErrors(told)}
	if p.NStart > 1 || p.AckTimeout > 0 || p.MaxRetransmit != nil {
		repeats := uint32(libraryMaxRetransmit)
		if p.MaxRetransmit != nil {
			repeats = uint32(*p.MaxRetransmit)
		}
		list = append(list, options.WithTransmission(uint32(d.nstart()),
			cmp.Or(max(p.AckTimeout.D(), 0), libraryAckTimeout), repeats))
	}
	if n := int64(d.nstart()); n > 1 {
		list = append(list, options.WithLimitClientParallelRequest(n), options.WithLimitClientEndpointParallelRequest(n))
	}
	if p.BlockSize > 0 {
		list = append(list, options.WithBlockwise(true, d.szx(), libraryTransfer))
	}
	return list
}

func (d *GoCoAP) nstart() int { return max(d.Binding.CoAP.NStart, 1) }

// szx is of the largest block that the binding allows.
func (d *GoCoAP) szx() blockwise.SZX {
	szx := blockwise.SZX1024
	for size := int64(d.Binding.CoAP.BlockSize); size > 0 && szx > blockwise.SZX16 && szx.Size() > size; {
		szx--
	}
	return szx
}
