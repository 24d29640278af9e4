package link

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// The test binary is also the server of the benchmarks: what a connection costs there is not ours.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		serve()
		return
	}
	os.Exit(m.Run())
}

// serve echoes over TLS or TCP until its standard input ends.
func serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Args[2] == "tls" {
		a := authority(1)
		c, _ := a.Server()
		pool, _ := a.Pool()
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*c}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				os.Exit(1)
			}
			go func() {
				_, _ = io.Copy(c, struct{ io.Reader }{c})
				_ = c.Close()
			}()
		}
	}()
	fmt.Println(l.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func startServer(b *testing.B, kind string) string {
	b.Helper()
	cmd := exec.Command(os.Args[0], "serve", kind)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// What a device costs over mutual TLS, its goroutine and its socket's part of this process included:
// idle, blocked in Read, and after 20 exchanges of 100 bytes.
func BenchmarkTLSDevice(b *testing.B) {
	for _, version := range []string{"1.2", "1.3"} {
		b.Run(version, func(b *testing.B) {
			defer debug.SetGCPercent(debug.SetGCPercent(10))
			const devices, exchanges = 2000, 20
			endpoint := startServer(b, "tls")
			for b.Loop() {
				d, err := New(&sim.Binding{Channel: sim.ChannelMQTT, Transport: sim.TransportTLS,
					Security: sim.Security{Credential: sim.CredentialCertificate, TLS: version}}, authority(1))
				if err != nil {
					b.Fatal(err)
				}
				empty := peers.Resident(4)
				conns := make([]net.Conn, devices)
				var done sync.WaitGroup
				var told sync.WaitGroup
				told.Add(devices)
				slots := make(chan struct{}, 8)
				var dialled sync.WaitGroup
				for i := range devices {
					dialled.Add(1)
					done.Go(func() {
						slots <- struct{}{}
						conn, err := d.Dial(b.Context(), &sim.Caller{ID: fmt.Sprint("meters-", i), Ordinal: sim.Ordinal(i), Endpoint: endpoint,
							Source: Loopback(devices).Of(uint64(i), 0)})
						<-slots
						if err != nil {
							b.Error(err)
						}
						conns[i] = conn
						dialled.Done()
						done.Go(func() { behave(conn, exchanges*100, &told) }) // on a stack that is not grown, as devices do
					})
				}
				dialled.Wait()
				b.ReportMetric((peers.Resident(4)-empty)/devices, "B/idle")
				message := make([]byte, 100)
				for range exchanges {
					for _, c := range conns {
						if _, err := c.Write(message); err != nil {
							b.Fatal(err)
						}
					}
				}
				told.Wait()
				b.ReportMetric((peers.Resident(4)-empty)/devices, "B/active")
				for _, c := range conns {
					_ = c.Close()
				}
				done.Wait()
			}
		})
	}
}

// behave reads, as a device does: into a small buffer of its own.
func behave(conn net.Conn, until int, told *sync.WaitGroup) {
	buf := make([]byte, 96)
	for got := 0; ; {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		if got += n; got >= until && got-n < until {
			told.Done()
		}
	}
}

// Connects a second, the first and the last thousand of many that stay open: by ordinal they are the
// same; the kernel's own choice of a port slows down as its range fills.
func BenchmarkConnect(b *testing.B) {
	for _, by := range []string{"ordinal", "kernel"} {
		b.Run(by, func(b *testing.B) {
			const devices, part = 18_000, 1000
			endpoint := startServer(b, "tcp")
			var d Dialer
			for n := 0; b.Loop(); n++ {
				conns := make([]net.Conn, 0, devices)
				var first, last float64
				for i := range devices {
					c := sim.Caller{Endpoint: endpoint}
					if by == "ordinal" {
						c.Source = Loopback(devices).Of(uint64(i), n)
					}
					start := time.Now()
					conn, err := d.DialTCP(b.Context(), &c)
					took := float64(time.Since(start))
					if err != nil {
						b.Fatal(err)
					}
					conns = append(conns, conn)
					if i < part {
						first += took
					} else if i >= devices-part {
						last += took
					}
				}
				for _, c := range conns {
					_ = setLinger(c, 0)
					_ = c.Close()
				}
				b.ReportMetric(part/first*1e9, "first/s")
				b.ReportMetric(part/last*1e9, "last/s")
			}
		})
	}
}

func BenchmarkSourceOf(b *testing.B) {
	s := Loopback(1_000_000)
	var at netip.AddrPort
	for i := uint64(0); b.Loop(); i++ {
		at = s.Of(i, 3)
	}
	_ = at
}
