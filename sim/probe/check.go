package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

const (
	checkTimeout = 10 * time.Second       // of one endpoint, if the context has no shorter one
	coapTimeout  = 4 * time.Second        // UDP has no refusal to go by: a ping goes unanswered
	publishAgain = 50 * time.Millisecond  // a message of QoS 0 may be dropped; each wait is twice as long
	pingAgain    = 300 * time.Millisecond // the first of the pings that follow; each waits twice as long
)

// Check returns nil if every endpoint is really ready: an MQTT broker accepts a connection and brings
// a message of QoS 0, which each has, from a publisher to a subscriber, on a topic of its own below "myriad/check"; a CoAP server
// answers a ping. It tries once. Its errors are *sim.NotHealthy and say what to do about it. MQTT over
// TLS and WebSocket is tried as the fleets of p dial it, whose roots and names they are; p may be nil if
// there is none. CoAP over anything but UDP is not tried.
func Check(ctx context.Context, p *sim.Plan, at sim.Endpoints) error {
	if p == nil {
		p = new(sim.Plan)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, scheme := range sim.Schemes() {
		if scheme.Channel() == sim.ChannelCoAP && scheme != sim.SchemeCoAP {
			continue
		}
		for _, endpoint := range at[scheme] {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, checkTimeout)
				defer cancel()
				if err := check(ctx, p, scheme, endpoint); err != nil {
					mu.Lock()
					defer mu.Unlock()
					errs = append(errs, &sim.NotHealthy{Target: endpoint, Err: err})
				}
			})
		}
	}
	wg.Wait()
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func check(ctx context.Context, p *sim.Plan, scheme sim.Scheme, endpoint string) error {
	if scheme == sim.SchemeCoAP {
		return checkCoAP(ctx, endpoint)
	}
	dial, err := dialer(p, scheme)
	if err != nil {
		return err
	}
	return checkMQTT(ctx, dial, p.Target.Login, endpoint)
}

func checkCoAP(ctx context.Context, endpoint string) error {
	d := coap.Dialer{Binding: sim.Binding{
		ConnectTimeout: min(remaining(ctx), sim.Duration(coapTimeout)),
		CoAP:           sim.CoAP{AckTimeout: sim.Duration(pingAgain), RandomFactor: 1},
	}}
	c, _, outcome := d.Dial(ctx, &sim.Caller{ID: "myriad-check", Endpoint: endpoint})
	if outcome != sim.OK {
		return advise(ctx, sim.ChannelCoAP, endpoint, outcome)
	}
	c.Close(false)
	return nil
}

func checkMQTT(ctx context.Context, dial dialling, login sim.Login, endpoint string) error {
	name := rand.Text()
	topic := "myriad/check/" + name
	d := mqtt.Dialer{Binding: sim.Binding{ConnectTimeout: remaining(ctx), Security: login.Security()}, DialConn: dial}
	c, facts, outcome := d.Dial(ctx, &sim.Caller{ID: "myriad-check-" + name[:10], Fleet: noFleet, Endpoint: endpoint})
	if outcome != sim.OK {
		return advise(ctx, sim.ChannelMQTT, endpoint, outcome)
	}
	defer c.Close(false)
	defer context.AfterFunc(ctx, facts.Interrupter.Interrupt)()

	up, came := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := mqtt.Subscriber{
		Endpoint: endpoint, ClientID: "myriad-check-" + name[10:20], Login: login, Filters: []string{topic},
		OnUp: func(bool) { close(up) },
		OnMessage: func(_, payload []byte, _ time.Time, _, _ bool) {
			if string(payload) == name {
				once.Do(func() { close(came); facts.Interrupter.Interrupt() })
			}
		},
	}
	s.DialConn = dialAs(dial, s.ClientID, 0)
	subscribing, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(subscribing) }()
	defer func() { stop(); <-ended }()

	select {
	case <-up:
	case err := <-ended:
		ended <- nil
		return fmt.Errorf("a connection was accepted but not a subscription: %w", err)
	}
	for again := publishAgain; ; again *= 2 {
		if outcome := publish(c, &sim.Message{Topic: topic, Payload: []byte(name)}, again); outcome != sim.OK {
			return fmt.Errorf("a publish failed: %s", outcome.Class())
		}
		select {
		case <-came:
			return nil
		default:
		}
		if ctx.Err() != nil {
			return fmt.Errorf("a message was sent and never reached its subscriber: may who logs in (--probe-user) "+
				"write to %s and read it?", topic)
		}
	}
}

// publish sends m and serves the conversation for so long, or until it is interrupted.
func publish(c sim.Conversation, m *sim.Message, wait time.Duration) sim.Outcome {
	if outcome := c.Publish(m); outcome != sim.OK {
		return outcome
	}
	if e := c.Wait(time.Now().Add(wait)); e.Kind == sim.EventDown {
		return e.Outcome
	}
	return sim.OK
}

// remaining is most of the time until ctx's deadline, which it has: a dialer that gives up by itself
// knows why.
func remaining(ctx context.Context) sim.Duration {
	deadline, _ := ctx.Deadline()
	return sim.Duration(time.Until(deadline) * 9 / 10)
}

// advise says what outcome most likely means for whoever set up the target.
func advise(ctx context.Context, channel sim.Channel, endpoint string, outcome sim.Outcome) error {
	switch outcome {
	case sim.DNSFailure:
		return fmt.Errorf("no such host: is %q spelled right?", endpoint)
	case sim.TCPRefused, sim.CoAPUnreachable:
		return fmt.Errorf("nothing listens at %s: start the target, or correct the address", endpoint)
	case sim.TCPTimeout, sim.TCPUnreachable:
		return fmt.Errorf("%s cannot be reached (%s): is the address right, and is there a firewall?", endpoint, outcome)
	case sim.MQTTConnackTimeout, sim.MQTTMalformed, sim.TCPClosed, sim.TCPReset:
		return fmt.Errorf("something listens at %s and does not speak MQTT (%s): is it the right port, without TLS?",
			endpoint, outcome)
	case sim.TLSBadPeer:
		return fmt.Errorf("the certificate of %s is not trusted: name its authority (ca) and its name (server_name)", endpoint)
	case sim.TLSRefused:
		return fmt.Errorf("%s does not accept our certificate: make it trust the run's authority", endpoint)
	case sim.TLSFailure, sim.TLSTimeout, sim.WSRefused:
		return fmt.Errorf("something listens at %s and does not speak what it should (%s): is it the right port?",
			endpoint, outcome.Class())
	case sim.TLSExpired:
		return fmt.Errorf("the certificate of %s is past its last day: renew it", endpoint)
	case sim.MQTTBadCredentials, sim.MQTTNotAuthorized:
		return fmt.Errorf("%s lets Myriad's health check not in (%s): say who it is, with --probe-user NAME and "+
			"--probe-password-file FILE or the variable MYRIAD_PROBE_PASSWORD", endpoint, outcome)
	case sim.CoAPTimeout:
		return fmt.Errorf("%s does not answer a ping: does a CoAP server run there, and is there a firewall?", endpoint)
	case sim.AppUnknown:
		return fmt.Errorf("%s had not answered: %w", endpoint, context.Cause(ctx))
	}
	return fmt.Errorf("no %s conversation with %s: %s", channel, endpoint, outcome.Class())
}
