//go:build unix

package coap

import (
	"syscall"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// awaitAnswer returns when the answer lies in c's socket and the timer of the exchange has run out.
func awaitAnswer(t *testing.T, c *Conversation) {
	t.Helper()
	buf := make([]byte, 1)
	lies := false
	for deadline := time.Now().Add(10 * time.Second); !lies && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		err := c.in.raw.Control(func(fd uintptr) {
			_, _, err := syscall.Recvfrom(int(fd), buf, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			lies = err == nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !lies {
		t.Fatal("no answer")
	}
	time.Sleep(time.Until(c.only[0].next))
}

// An answer that is in the socket when the timer runs out came in time: the device was late, not
// the peer, and nothing is repeated.
func TestOurOwnLagRepeatsNothing(t *testing.T) {
	server := udpServer(t, "127.0.0.1:0")
	d := &Dialer{Binding: sim.Binding{CoAP: sim.CoAP{AckTimeout: sim.Duration(30 * time.Millisecond)}}}
	c := dialUDP(t, d, server.LocalAddr().String())
	for _, deadline := range []time.Duration{time.Minute, -time.Minute} {
		publish(t, c, report(7))
		awaitAnswer(t, c)
		if ev := c.Wait(time.Now().Add(deadline)); ev.Kind != sim.EventAcked || ev.Attempts != 1 {
			t.Errorf("event = %+v, want an acknowledgement of the only transmission", ev)
		}
	}
}
