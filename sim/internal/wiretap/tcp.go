package wiretap

import (
	"net"
	"sync"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// stream is one recorded TCP connection.
type stream struct {
	tap *Tap
	ends

	mu  sync.Mutex
	seq [2]uint32 // next sequence number of the server, and of the client
}

func (tap *Tap) accept(l net.Listener) {
	for {
		near, err := l.Accept()
		if err != nil {
			return // stopped
		}
		far, err := net.Dial("tcp", tap.target)
		if err != nil {
			near.Close() // the client sees a server that is gone
			continue
		}
		tap.conns = append(tap.conns, near, far)
		s := &stream{tap: tap, ends: tap.ends(near.RemoteAddr())}
		s.segment(true, layers.TCP{SYN: true}, nil)
		s.segment(false, layers.TCP{SYN: true, ACK: true}, nil)
		s.segment(true, layers.TCP{ACK: true}, nil)
		tap.streams.Go(func() { s.pass(true, far, near) })
		tap.streams.Go(func() { s.pass(false, near, far) })
	}
}

// pass hands on what src says until it ends. What ends in one direction ends in the other: a recording
// needs no half-open connections, and neither have the protocols any.
func (s *stream) pass(client bool, dst, src net.Conn) {
	buffer := make([]byte, segment)
	for {
		n, err := src.Read(buffer)
		if n > 0 {
			s.segment(client, layers.TCP{ACK: true, PSH: true}, buffer[:n]) // before the other end can answer it
			if _, err := dst.Write(buffer[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	s.segment(client, layers.TCP{FIN: true, ACK: true}, nil)
	src.Close()
	dst.Close()
}

func (s *stream) segment(client bool, tcp layers.TCP, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own, other := 0, 1
	if client {
		own, other = 1, 0
	}
	src, dst := s.from(client)
	ip := header(src, dst, layers.IPProtocolTCP)
	tcp.SrcPort, tcp.DstPort = layers.TCPPort(src.Port()), layers.TCPPort(dst.Port())
	tcp.Seq, tcp.Window = s.seq[own], 65535
	if tcp.ACK {
		tcp.Ack = s.seq[other]
	}
	s.seq[own] += uint32(len(data))
	if tcp.SYN || tcp.FIN {
		s.seq[own]++
	}
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		s.tap.t.Errorf("wiretap: %v", err)
	}
	s.tap.record(ip, &tcp, gopacket.Payload(data))
}
