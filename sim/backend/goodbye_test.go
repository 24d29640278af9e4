package backend

import (
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
)

// Clients may come and leave while the broker says goodbye: mochi's own list of a listener's clients then waits for
// itself, once in a while for ever.
func TestGoodbyeWhileClientsLeave(t *testing.T) {
	s := mochi.New(brokerOptions(slog.New(slog.DiscardHandler)))
	over := make(chan struct{})
	var changing sync.WaitGroup
	for n := range 4 {
		changing.Go(func() {
			id := strconv.Itoa(n)
			for {
				select {
				case <-over:
					return
				default:
					s.Clients.Add(&mochi.Client{ID: id})
					s.Clients.Delete(id)
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range 20_000 {
			goodbye(s, "mqtt")
		}
	}()
	select {
	case <-ended:
		close(over)
		changing.Wait()
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end") // and neither do those that change
	}
}
