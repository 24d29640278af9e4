package fetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"hash"
	"math/rand/v2"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/fetch"
	"github.com/myriad-iot/myriad/sim/http"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

const mebibyte = 1 << 20

// hashing is a download that nothing of is kept but its digest.
func hashing(open func(context.Context) (sim.Requester, sim.Outcome)) (*fetch.Download, hash.Hash) {
	sum := sha256.New()
	return &fetch.Download{Open: open, Request: sim.Request{Path: "/file"}, Write: func(at int64, part []byte) error {
		if at == 0 {
			sum.Reset()
		}
		_, err := sum.Write(part)
		return err
	}, Retry: sim.Retry{List: []sim.Duration{sim.Duration(10 * time.Millisecond)}, MaxAttempt: 5}}, sum
}

// The connection is cut before the answer, in its head, at its first byte, in the middle, just before the end.
func TestAMebibyteOverConnectionsThatAreCut(t *testing.T) {
	file := noise(mebibyte)
	for _, w := range worlds() {
		cuts := []int64{0, 10, 4000, 300_000, 3700, 4500, 690_000}
		switch w.name {
		case "coap", "coaps":
			continue // no connections
		case "http", "coap+tcp":
			cuts = append(cuts, 250)
		}
		t.Run(w.name, func(t *testing.T) {
			o, server := w.serve(t, newStore(file))
			d, sum := hashing(calling(t, o, relay(t, server, cuts...)))
			a, outcome := d.Run(t.Context())
			if digest := sha256.Sum256(file); outcome != sim.OK || !bytes.Equal(sum.Sum(nil), digest[:]) {
				t.Errorf("%v, %+v", outcome, a)
			}
			// What went over the wire is fetched again only where the peer's blocks do not end at a cut.
			if n := len(cuts) + 1; d.Count.Lines != n || d.Count.Restarts != 0 || d.Count.Repeated != 0 || d.Count.Fetched != mebibyte {
				t.Errorf("%+v", d.Count)
			}
		})
	}
}

// A server that gives all or nothing: what was there is compared by its tag, and skipped.
func TestAMebibyteFromAServerWithoutRanges(t *testing.T) {
	file := noise(mebibyte)
	for tag, want := range map[string]fetch.Count{
		`"v1"`: {Lines: 3, Requests: 3},
		"":     {Lines: 3, Requests: 3, Restarts: 2},
	} {
		s := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
			if tag != "" {
				w.Header().Set("ETag", tag)
			}
			_, _ = w.Write(file)
		}))
		d, sum := hashing(calling(t, new(http.Opener), relay(t, s.Listener.Addr().String(), 200_000, 400_000)))
		a, o := d.Run(t.Context())
		if digest := sha256.Sum256(file); o != sim.OK || !bytes.Equal(sum.Sum(nil), digest[:]) {
			t.Errorf("%v, %+v", o, a)
		}
		want.Fetched, want.Repeated = d.Count.Fetched, d.Count.Fetched-mebibyte
		if d.Count != want || d.Count.Repeated < 590_000 || d.Count.Repeated > 600_000 {
			t.Errorf("%q: %+v, want %+v", tag, d.Count, want)
		}
		s.Close()
	}
}

// A link that loses one datagram in twenty, and for three minutes all of them: the line is given up, and the next one
// goes on where it was. In virtual time.
func TestAMebibyteOverALinkThatFails(t *testing.T) {
	file := &peers.File{Body: noise(mebibyte), ETag: []byte("v1"), SZX: 6}
	bubble.Test(t, func(t *testing.T) {
		luck := rand.New(rand.NewPCG(7, 8))
		begin := time.Now()
		var mu sync.Mutex // the end of one line and the begin of the next
		lost := func() bool {
			mu.Lock()
			defer mu.Unlock()
			since := time.Since(begin)
			return luck.Float64() < 0.05 || since > time.Minute && since < 4*time.Minute
		}
		dialer := &coap.Dialer{DialConn: func(context.Context, string, sim.Ordinal) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				for b := make([]byte, 2048); ; {
					n, err := far.Read(b)
					if err != nil {
						return
					}
					if lost() {
						continue
					}
					if answer := file.Answer(b[:n]); answer != nil && !lost() {
						if _, err := far.Write(answer); err != nil {
							return
						}
					}
				}
			}()
			return near, nil
		}}
		d, sum := hashing(calling(t, dialer, "plc.test:5683"))
		d.Retry.List = []sim.Duration{sim.Duration(time.Minute)}
		a, o := d.Run(t.Context())
		if digest := sha256.Sum256(file.Body); o != sim.OK || !bytes.Equal(sum.Sum(nil), digest[:]) {
			t.Errorf("%v, %+v", o, a)
		}
		if d.Count.Lines < 2 || d.Count.Requests < 2 || d.Count.Restarts > 0 || d.Count.Fetched != mebibyte || d.Count.Repeated > 0 {
			t.Errorf("%+v", d.Count)
		}
		if took := time.Since(begin); took < 4*time.Minute || took > 30*time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}
