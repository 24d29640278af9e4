package coap

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	dtlsnet "github.com/pion/dtls/v3/pkg/net"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// quirky is a peer with one resource, that answers reports well and is peculiar about being observed.
type quirky struct {
	// say is what it says to registration n, counted from 0: the response, if it is an Acknowledgement or a
	// Reset, and notifications. Over TCP all are just messages, and a Reset is nothing.
	say func(n int) []message.Message
	// block is its response to a request for another block; nil is 4.08.
	block func(num uint32) []message.Message
	slow  time.Duration // of those responses, over UDP

	mu            sync.Mutex
	registrations []time.Time // without their repetitions
	fetches       []time.Time
	reports       int
	messages      int // in both directions, but for reports and their answers
	token         message.Token
	out           func(m message.Message)
}

// hear takes a message of the device's, which over UDP may be a copy of one that came before.
func (q *quirky) hear(m message.Message, again bool) []message.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m.Code == codes.POST {
		q.reports++
		return []message.Message{{Type: message.Acknowledgement, Code: codes.Changed}}
	}
	q.messages++
	if m.Code != codes.GET {
		return nil
	}
	var said []message.Message
	if on, err := m.Options.Observe(); err == nil && on == 0 {
		q.token = m.Token
		if !again {
			q.registrations = append(q.registrations, time.Now())
		}
		said = q.say(len(q.registrations) - 1)
	} else if v, err := m.Options.GetUint32(message.Block2); err == nil {
		q.fetches = append(q.fetches, time.Now())
		said = []message.Message{{Type: message.Acknowledgement, Code: codes.RequestEntityIncomplete}}
		if q.block != nil {
			said = q.block(v >> 4)
		}
	}
	q.messages += len(said)
	return said
}

// talker is a conversation, over whatever.
type talker interface {
	sim.Conversation
	sim.Windowed
}

// transports dial a quirky peer in virtual time and run f.
var transports = map[string]func(t *testing.T, b sim.Binding, q *quirky, f func(c talker)){
	"UDP":  func(t *testing.T, b sim.Binding, q *quirky, f func(c talker)) { overDatagrams(t, b, q, false, f) },
	"DTLS": func(t *testing.T, b sim.Binding, q *quirky, f func(c talker)) { overDatagrams(t, b, q, true, f) },
	"TCP": func(t *testing.T, b sim.Binding, q *quirky, f func(c talker)) {
		overPipe(t, b, func(t *testing.T, c *Stream, far *far) {
			q.out = far.say
			done := make(chan bool)
			go func() {
				defer close(done)
				for m := range far.in {
					for _, r := range q.hear(m, false) {
						if r.Type == message.Reset {
							continue
						}
						if r.Token == nil {
							r.Token = m.Token
						}
						far.say(r)
					}
				}
			}()
			f(c)
			c.Close(true)
			<-done
		})
	},
}

func overDatagrams(t *testing.T, b sim.Binding, q *quirky, secure bool, f func(c talker)) {
	bubble.Test(t, func(t *testing.T) {
		near, end := net.Pipe()
		d := &Dialer{Binding: b, DialConn: func(context.Context, string, sim.Ordinal) (net.Conn, error) { return near, nil }}
		dialed := make(chan bool)
		conn := make(chan net.Conn, 1)
		if secure {
			d.Binding.Security.Credential = sim.CredentialPSK
			d.Secure = &DTLS{PSK: func(*sim.Caller) ([]byte, []byte) { return []byte("id"), []byte("key") }}
			go func() {
				s, err := dtls.ServerWithOptions(dtlsnet.PacketConnFromConn(end), end.RemoteAddr(),
					dtls.WithPSK(func([]byte) ([]byte, error) { return []byte("key"), nil }), dtls.WithCipherSuites(suites(true)...))
				if err == nil {
					err = s.HandshakeContext(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
				conn <- s
			}()
		} else {
			conn <- end
		}
		go func() {
			defer close(dialed)
			far := silentPeer(<-conn)
			q.overDatagrams(far)
			far.start()
		}()
		c, _, o := d.Dial(t.Context(), &sim.Caller{ID: "t-0", Key: 3})
		if o != sim.OK {
			t.Fatalf("dial: %v", o)
		}
		<-dialed
		f(c.(talker))
		c.Close(true)
		end.Close()
	})
}

// overDatagrams makes q the script of far.
func (q *quirky) overDatagrams(far *peer) {
	var mu sync.Mutex
	heard := map[uint16]time.Time{}
	id := uint16(0)
	q.out = func(m message.Message) {
		mu.Lock()
		defer mu.Unlock()
		if m.Type != message.Acknowledgement && m.Type != message.Reset {
			id++
			m.MessageID = int32(id)
		}
		raw := make([]byte, 2000)
		n, err := coder.DefaultCoder.Encode(m, raw)
		if err != nil {
			panic(err)
		}
		far.send(raw[:n])
	}
	far.play(func(a arrival) {
		if a.code == codes.Empty && a.kind == message.Confirmable {
			far.send(rst(a.id))
			return
		}
		m := message.Message{Options: make(message.Options, 0, 32)}
		if _, err := coder.DefaultCoder.Decode(a.raw, &m); err != nil {
			panic(err)
		}
		at, again := heard[a.id]
		if heard[a.id] = a.at; again && a.at.Sub(at) > 4*time.Minute {
			again = false // the id is another message's
		}
		for _, r := range q.hear(m, again && m.Code != codes.Empty) {
			r.MessageID = int32(a.id)
			if r.Token == nil && r.Type != message.Reset {
				r.Token = m.Token
			}
			if m.Options.HasOption(message.Block2) && q.slow > 0 {
				time.AfterFunc(q.slow, func() { q.out(r) })
				continue
			}
			q.out(r)
		}
	})
}

// reportsFor is a device that reports now and then for a while, as soon as there is room. It returns how many
// reports were acknowledged, and the payloads that it was told.
func reportsFor(c talker, span, every time.Duration) (acked int, told []string) {
	start := time.Now()
	end := start.Add(span)
	for seq := uint32(0); time.Now().Before(end); {
		due := start.Add(time.Duration(seq) * every)
		deadline := due
		if !time.Now().Before(due) {
			deadline = end
			if c.Room() > 0 {
				if c.Publish(report(seq)) != sim.OK {
					return acked, told
				}
				seq++
			}
		}
		switch ev := c.Wait(deadline); ev.Kind {
		case sim.EventAcked:
			acked++
		case sim.EventInbound:
			told = append(told, string(ev.Inbound.Payload))
		case sim.EventDown:
			return acked, told
		}
	}
	return acked, told
}

// crowded is the largest number of instants in any span of this length.
func crowded(list []time.Time, span time.Duration) (most int) {
	first := 0
	for i, at := range list {
		for at.Sub(list[first]) >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
