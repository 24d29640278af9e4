package fetch_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/fetch"
	"github.com/myriad-iot/myriad/sim/http"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// still is a connection without a network.
type still struct{}

func (still) Close() error                     { return nil }
func (still) LocalAddr() net.Addr              { return nil }
func (still) RemoteAddr() net.Addr             { return nil }
func (still) SetDeadline(time.Time) error      { return nil }
func (still) SetReadDeadline(time.Time) error  { return nil }
func (still) SetWriteDeadline(time.Time) error { return nil }

// datagrams answers each datagram with the file's answer.
type datagrams struct {
	still
	file *peers.File
	next []byte
}

func (d *datagrams) Write(b []byte) (int, error) {
	d.next = d.file.Answer(b)
	return len(b), nil
}

func (d *datagrams) Read(b []byte) (int, error) {
	if d.next == nil {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(b, d.next)
	d.next = nil
	return n, nil
}

// bytestream answers a request with a head and a body of a length.
type bytestream struct {
	still
	head string
	rest int
}

func (s *bytestream) Write(b []byte) (int, error) { return len(b), nil }

func (s *bytestream) Read(b []byte) (int, error) {
	if len(s.head) > 0 {
		n := copy(b, s.head)
		s.head = s.head[n:]
		return n, nil
	}
	n := min(len(b), s.rest)
	if s.rest -= n; n == 0 {
		return 0, io.EOF
	}
	return n, nil // whatever lies there
}

// heapOf is the memory of so many downloads at once, at a moment when each has fetched all but its last part.
func heapOf(t *testing.T, lines, size int, open func(context.Context) (sim.Requester, sim.Outcome)) int64 {
	t.Helper()
	var there, over sync.WaitGroup
	there.Add(lines)
	goOn := make(chan struct{})
	goroutines := runtime.NumGoroutine()
	before := heap()
	for range lines {
		over.Go(func() {
			var line sim.Requester
			d := &fetch.Download{Open: func(ctx context.Context) (r sim.Requester, o sim.Outcome) {
				r, o = open(ctx)
				line = r
				return r, o
			}, Request: sim.Request{Path: "/file"}, Write: func(at int64, part []byte) error {
				if at+int64(len(part)) == int64(size) {
					there.Done()
					<-goOn
				}
				return nil
			}}
			if a, o := d.Run(t.Context()); o != sim.OK || d.Progress.Bytes != int64(size) {
				t.Errorf("%v, %+v", o, a)
			}
			line.Close(true)
		})
	}
	there.Wait()
	used := heap() - before
	close(goOn)
	over.Wait()
	for began := time.Now(); runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second { // the next one would count what these still hold
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
	return used
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// A device has no room for a file, and neither have we for a fleet's.
func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	overCoAP := func(size int) func(context.Context) (sim.Requester, sim.Outcome) {
		file := &peers.File{Body: make([]byte, size), ETag: []byte("v1"), SZX: 6}
		d := &coap.Dialer{DialConn: func(context.Context, string, sim.Ordinal) (net.Conn, error) {
			return &datagrams{file: file}, nil
		}}
		return func(ctx context.Context) (sim.Requester, sim.Outcome) {
			r, _, o := d.Open(ctx, &sim.Caller{ID: "plc-0"})
			return r, o
		}
	}
	overHTTP := func(size int) func(context.Context) (sim.Requester, sim.Outcome) {
		d := &http.Opener{DialConn: func(context.Context, *sim.Caller) (net.Conn, error) {
			return &bytestream{head: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size), rest: size}, nil
		}}
		return func(ctx context.Context) (sim.Requester, sim.Outcome) {
			r, _, o := d.Open(ctx, &sim.Caller{ID: "plc-0", Endpoint: "plc.test:80"})
			return r, o
		}
	}
	for _, c := range []struct {
		name         string
		open         func(size int) func(context.Context) (sim.Requester, sim.Outcome)
		lines        int
		small, large int
	}{
		{"HTTP", overHTTP, 1000, mebibyte, 16 * mebibyte},
		{"CoAP", overCoAP, 1000, mebibyte / 32, mebibyte / 2},
		{"CoAP, few and long", overCoAP, 20, mebibyte, 16 * mebibyte},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines := c.lines
			if underRace {
				lines = max(lines/20, 5) // it makes all of it tenfold slower; of one line the collector alone makes more than the limit
			}
			// One try in twenty is off by the pools and stacks that the ones before left; what grows with the file grows in each.
			grown := int64(math.MaxInt64)
			for try := 0; try < 4 && grown > 4<<10; try++ {
				small := heapOf(t, lines, c.small, c.open(c.small))
				large := heapOf(t, lines, c.large, c.open(c.large))
				t.Logf("%d downloads: %d bytes each of %d KiB, %d bytes each of %d KiB",
					lines, small/int64(lines), c.small>>10, large/int64(lines), c.large>>10)
				grown = min(grown, (large-small)/int64(lines))
			}
			if grown > 4<<10 {
				t.Errorf("a download of %d bytes takes %d bytes of memory more than one of %d", c.large, grown, c.small)
			}
		})
	}
}
