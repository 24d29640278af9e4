// Package wiretap records for tests what goes over the wire, and lets another judge it: tshark, whose
// dissectors know nothing of this project.
//
// A [Tap] is a proxy on loopback that writes every byte it passes on into a pcap file, as TCP segments
// or UDP datagrams of a conversation that has the protocol's own port. It is made by hand because a
// live capture needs rights that a test may not have; the packets around the bytes are gopacket's.
// Any form of a protocol can be recorded. What is encrypted tshark opens with the keys, if the test
// gives it them: a key log for TLS, the pre-shared key for DTLS.
//
// A Tap owns its goroutines and its file, until the test ends.
package wiretap

import (
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// segment bounds what is recorded as one TCP segment, so that an IP packet can hold it.
const segment = 60_000

// Tap is a recording proxy.
type Tap struct {
	// Pardon are the messages of tshark's that [Tap.Count] does not take for faults: what the standard has
	// and tshark does not know.
	Pardon []string

	t      testing.TB
	path   string
	port   uint16 // that the recorded server has
	target string

	mu   sync.Mutex // guards the file
	file *os.File
	pcap *pcapgo.Writer

	entry   io.Closer      // where clients come in
	enters  sync.WaitGroup // the goroutine that lets them
	streams sync.WaitGroup // those of connections
	conns   []net.Conn     // that are cut off if they do not end; of the goroutine at the entry
	stopped bool
}

// linger is how long a connection that is open at the end may go on: what a client said last before it
// hung up is recorded, but one that never hangs up is cut off.
const linger = time.Second

// TCP records the connections to target. Clients call the address that is returned; the recording
// says that they called port.
func TCP(t testing.TB, target string, port uint16) (*Tap, string) {
	t.Helper()
	tap := open(t, target, port)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tap.entry = l
	tap.enters.Go(func() { tap.accept(l) })
	return tap, l.Addr().String()
}

// UDP records the datagrams to and from target.
func UDP(t testing.TB, target string, port uint16) (*Tap, string) {
	t.Helper()
	tap := open(t, target, port)
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	tap.entry = conn
	tap.enters.Go(func() { tap.relay(conn) })
	return tap, conn.LocalAddr().String()
}

func open(t testing.TB, target string, port uint16) *Tap {
	t.Helper()
	tap := &Tap{t: t, path: filepath.Join(t.TempDir(), "tap.pcap"), port: port, target: target}
	file, err := os.Create(tap.path)
	if err != nil {
		t.Fatal(err)
	}
	tap.file, tap.pcap = file, pcapgo.NewWriterNanos(file)
	if err := tap.pcap.WriteFileHeader(1<<16, layers.LinkTypeRaw); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tap.stop)
	return tap
}

// stop ends all connections, waits for their goroutines and closes the file.
func (tap *Tap) stop() {
	if tap.stopped || tap.entry == nil {
		return
	}
	tap.stopped = true
	tap.entry.Close()
	tap.enters.Wait()
	ended := make(chan struct{})
	go func() {
		tap.streams.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(linger):
		for _, conn := range tap.conns {
			conn.Close()
		}
		<-ended
	}
	if err := tap.file.Close(); err != nil {
		tap.t.Error(err)
	}
}

// record writes one packet.
func (tap *Tap) record(ip *layers.IPv4, rest ...gopacket.SerializableLayer) {
	buffer := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buffer, options, append([]gopacket.SerializableLayer{ip}, rest...)...); err != nil {
		tap.t.Errorf("wiretap: %v", err)
		return
	}
	data := buffer.Bytes()
	tap.mu.Lock()
	defer tap.mu.Unlock()
	info := gopacket.CaptureInfo{Timestamp: time.Now(), CaptureLength: len(data), Length: len(data)}
	if err := tap.pcap.WritePacket(info, data); err != nil {
		tap.t.Errorf("wiretap: %v", err)
	}
}

// ends are the addresses of a recorded conversation.
type ends struct{ client, server netip.AddrPort }

func (tap *Tap) ends(client net.Addr) ends {
	from := netip.MustParseAddrPort(client.String())
	// The server is another host of loopback, so that its port is not confused with the client's.
	return ends{from, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 2}), tap.port)}
}

func (e ends) from(client bool) (src, dst netip.AddrPort) {
	if client {
		return e.client, e.server
	}
	return e.server, e.client
}

func header(src, dst netip.AddrPort, protocol layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, Protocol: protocol,
		SrcIP: src.Addr().Unmap().AsSlice(), DstIP: dst.Addr().Unmap().AsSlice()}
}
