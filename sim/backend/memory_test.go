package backend

import (
	"net"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

func TestMemory(t *testing.T) {
	con, non := message.Confirmable, message.NonConfirmable
	cases := []struct {
		name  string
		first time.Duration // since the peer was first heard
		kind  message.Type
		later time.Duration
		known bool
	}{
		{"CON at once", 0, con, 0, true},
		{"CON within its lifetime", 0, con, exchangeLifetime - time.Millisecond, true},
		{"CON after it", 0, con, exchangeLifetime, false},
		{"CON across generations", 200 * time.Second, con, 246 * time.Second, true},
		{"CON across generations, expired", 200 * time.Second, con, 248 * time.Second, false},
		{"CON two generations on", 200 * time.Second, con, 500 * time.Second, false},
		{"CON after a day", time.Hour, con, 24 * time.Hour, false},
		{"NON within its lifetime", 10 * time.Second, non, 144 * time.Second, true},
		{"NON after it", 10 * time.Second, non, 146 * time.Second, false},
		{"NON across generations", 200 * time.Second, non, 100 * time.Second, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				var m memory
				a := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5}
				calls := 0
				ask := func(a net.Addr, id int32) (code codes.Code) {
					m.peer(a.String()).once(id, c.kind, func() codes.Code { calls++; return codes.Code(calls) }, &code)
					return code
				}
				ask(a, 1)
				time.Sleep(c.first)
				first := ask(a, 2)
				if first != 2 {
					t.Fatalf("a new id was answered %v", first)
				}
				if ask(&net.UDPAddr{IP: a.IP, Port: 6}, 2) != 3 {
					t.Error("another peer's id was known")
				}
				time.Sleep(c.later)
				if known := ask(a, 2) == first; known != c.known {
					t.Errorf("known: %v", known)
				}
				m.forget(time.Now())
				time.Sleep(exchangeLifetime + time.Second)
				m.forget(time.Now())
				if len(m.peers) != 0 {
					t.Errorf("%d silent peers are remembered", len(m.peers))
				}
			})
		})
	}
}
