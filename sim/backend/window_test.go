package backend

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// numbered are the payloads name-0 to name-(n-1).
func numbered(name string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = name + "-" + strconv.Itoa(i)
	}
	return list
}

// windows are the Receive Maximum of subscribers; 0: MQTT 3.1.1, which has none.
var windows = []uint16{1, 5, 20, 65535, 0}

func newSubscriber(window uint16, qos byte, filter string) *subscriber {
	s := &subscriber{id: fmt.Sprintf("qos%d-window%d", qos, window), filter: filter, version: 5, qos: qos, window: window}
	if window == 0 {
		s.version = 4
	}
	return s
}

// each runs a test for each QoS and window.
func each(t *testing.T, test func(t *testing.T, address string, s *subscriber)) {
	for _, qos := range []byte{1, 2} {
		for _, window := range windows {
			t.Run(fmt.Sprintf("QoS %d, window %d", qos, window), func(t *testing.T) {
				t.Parallel()
				address := inProcess(t, Options{MQTT: "127.0.0.1:0"}, nil)[sim.SchemeMQTT][0]
				test(t, address, newSubscriber(window, qos, "w/#"))
			})
		}
	}
}

// join connects a subscriber for the first time.
func join(t *testing.T, address string, s *subscriber) {
	t.Helper()
	if present, err := s.connect(address); err != nil || present {
		t.Fatal(present, err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.subscribe(); err != nil {
		t.Fatal(err)
	}
}

// comeBack connects it again.
func comeBack(t *testing.T, address string, s *subscriber) {
	t.Helper()
	if present, err := s.connect(address); err != nil || !present {
		t.Fatal("session present:", present, err)
	}
	t.Cleanup(func() { _ = s.Close() })
}

// A subscriber that was away while 500 messages came gets each of them, in order, and never more at once than its
// Receive Maximum (MQTT 5 sections 3.1.2.11.3, 4.6 and 4.9).
func TestReceiveMaximumAfterAnAbsence(t *testing.T) {
	each(t, func(t *testing.T, address string, s *subscriber) {
		join(t, address, s)
		_ = s.Close()
		from := newSender(t, address, "sender")
		list := numbered("m", 500)
		for _, m := range list {
			if err := from.say("w/1", m); err != nil {
				t.Fatal(err)
			}
		}
		from.done(t)
		comeBack(t, address, s)
		if err := s.take(len(list)); err != nil {
			t.Fatal(err)
		}
		s.expect(t, list)
		_ = s.Close()
		comeBack(t, address, s) // nothing comes again
		if err := from.say("w/1", "last"); err != nil {
			t.Fatal(err)
		}
		if err := s.take(len(list) + 1); err != nil {
			t.Fatal(err)
		}
		s.expect(t, append(list, "last"))
	})
}

// A subscriber that acknowledges slowly, in bursts and out of order, gets each of 5,000 messages once, in order.
func TestReceiveMaximumOfASlowSubscriber(t *testing.T) {
	each(t, func(t *testing.T, address string, s *subscriber) {
		s.slow = true
		join(t, address, s)
		n := 5000
		if s.window == 1 { // each takes a round trip and 1 ms
			n = 500
		}
		list := numbered("m", n)
		from := newSender(t, address, "sender")
		sent := make(chan error, 1)
		go func() {
			for _, m := range list {
				if err := from.say("w/1", m); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		if err := s.take(n); err != nil {
			t.Fatal(err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		s.expect(t, list)
	})
}

// Several senders, several subscribers of both versions with windows of all sizes, and connections that break in the
// middle of everything, also because the same client comes again: nobody loses a message, nobody gets one twice with
// QoS 2, or without DUP with QoS 1, and everybody gets each sender's in order. Nothing comes to a stop.
func TestReceiveMaximumUnderStress(t *testing.T) {
	address := inProcess(t, Options{MQTT: "127.0.0.1:0"}, nil)[sim.SchemeMQTT][0]
	const senders, messages = 3, 400
	var list []*subscriber
	for _, qos := range []byte{1, 2} {
		for _, window := range windows {
			s := newSubscriber(window, qos, "w/#")
			s.slow = window == 5
			join(t, address, s)
			list = append(list, s)
		}
	}
	var work sync.WaitGroup
	var sent atomic.Int64
	for i := range senders {
		from := newSender(t, address, "sender"+strconv.Itoa(i))
		work.Go(func() {
			for _, m := range numbered(strconv.Itoa(i), messages) {
				if err := from.say("w/"+strconv.Itoa(i), m); err != nil {
					t.Error(err)
					return
				}
				sent.Add(1)
			}
		})
	}
	for k, s := range list {
		work.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(k)))
			for len(s.got) < senders*messages || len(s.recorded) > 0 || len(s.open) > 0 {
				next := min(len(s.got)+50+random.IntN(250), senders*messages)
				if err := s.take(next); err != nil {
					t.Error(err)
					return
				}
				if next == senders*messages {
					return
				}
				before := s.Conn
				if random.IntN(2) == 0 { // some of what came is not acknowledged
					_ = before.Close()
					if random.IntN(2) == 0 {
						time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
					}
				}
				present, err := s.connect(address)
				if err != nil || !present {
					t.Error(s.id, "session present:", present, err)
					return
				}
				_ = before.Close()
			}
		})
	}
	work.Wait()
	for _, s := range list {
		_ = s.Close()
		for i := range senders {
			name := strconv.Itoa(i)
			own := slices.DeleteFunc(slices.Clone(s.got), func(m string) bool { return !strings.HasPrefix(m, name+"-") })
			if !slices.Equal(own, numbered(name, messages)) {
				t.Errorf("%s: %d messages of sender %d, want %d in order", s.id, len(own), i, messages)
			}
		}
		if len(s.got) != senders*messages {
			t.Errorf("%s: %d messages, want %d", s.id, len(s.got), senders*messages)
		}
	}
}
