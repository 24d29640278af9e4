package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// withPaho connects, subscribes and waits until the connection is lost or ctx ends. up reports
// whether the subscriptions stood; err is nil if ctx ended then. Every session is a new paho client,
// because paho's own reconnection completes the tokens of what was lost.
func (s *Subscriber) withPaho(ctx context.Context, granted bool) (up bool, err error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return false, fmt.Errorf("subscribe at %s: %w", s.Endpoint, err)
	}
	w, lost := newWire(conn), make(chan error, 1)
	client := paho.NewClient(s.options(w, lost))
	var writer sync.WaitGroup
	writer.Go(w.run)
	defer func() {
		client.Disconnect(uint(2 * closeTimeout / time.Millisecond))
		w.Close()
		writer.Wait()
	}()
	token := client.Connect()
	select {
	case <-token.Done():
	case <-ctx.Done():
		w.Close() // ends the wait for CONNACK
		<-token.Done()
	}
	if err := token.Error(); err != nil {
		return false, fmt.Errorf("subscribe at %s: %w", s.Endpoint, err)
	}
	present := token.(*paho.ConnectToken).SessionPresent()
	if !present || !granted {
		if err := s.subscribePaho(ctx, client, lost); err != nil {
			return false, fmt.Errorf("subscribe at %s: %w", s.Endpoint, err)
		}
	}
	if s.OnUp != nil {
		s.OnUp(present)
	}
	select {
	case err := <-lost:
		return true, fmt.Errorf("subscription at %s: %w", s.Endpoint, err)
	case <-ctx.Done():
		return true, nil
	}
}

func (s *Subscriber) options(conn net.Conn, lost chan<- error) *paho.ClientOptions {
	return paho.NewClientOptions().
		AddBroker("tcp://" + s.Endpoint).
		SetClientID(s.ClientID).
		SetProtocolVersion(4). // or paho tries 3.1 as well
		SetCleanSession(!s.Session).
		SetAutoReconnect(false).
		SetOrderMatters(true).
		SetKeepAlive(subscriberKeepAlive).
		SetPingTimeout(subscriberPingTimeout).
		SetConnectTimeout(subscriberTimeout).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return conn, nil }).
		SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err }).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
			s.OnMessage([]byte(m.Topic()), m.Payload(), time.Now(), m.Duplicate())
		})
}

// subscribePaho returns nil if the broker's SUBACK grants every filter with the QoS that was asked.
func (s *Subscriber) subscribePaho(ctx context.Context, client paho.Client, lost <-chan error) error {
	filters := make(map[string]byte, len(s.Filters))
	for _, f := range s.Filters {
		filters[f] = s.QoS
	}
	token := client.SubscribeMultiple(filters, nil)
	select {
	case <-token.Done():
	case err := <-lost:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(subscriberTimeout):
		return errors.New("no suback")
	}
	if err := token.Error(); err != nil {
		return err
	}
	codes := token.(*paho.SubscribeToken).Result()
	for _, f := range s.Filters {
		code, ok := codes[f]
		if !ok {
			return errors.New("no suback") // the token of a lost connection
		}
		if err := s.judge(f, code); err != nil {
			return err
		}
	}
	return nil
}
