package wiretap

import (
	"net"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// relay hands datagrams on, each client's through a socket of its own.
func (tap *Tap) relay(near *net.UDPConn) {
	target, err := net.ResolveUDPAddr("udp", tap.target)
	if err != nil {
		tap.t.Errorf("wiretap: %v", err)
		return
	}
	clients := map[netip.AddrPort]*net.UDPConn{}
	defer func() {
		for _, far := range clients {
			far.Close()
		}
	}()
	buffer := make([]byte, 1<<16)
	for {
		n, client, err := near.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return // stopped
		}
		far := clients[client]
		if far == nil {
			if far, err = net.DialUDP("udp", nil, target); err != nil {
				tap.t.Errorf("wiretap: %v", err)
				return
			}
			clients[client] = far
			tap.streams.Go(func() { tap.answers(near, far, client) })
		}
		tap.datagram(client, true, buffer[:n])
		_, _ = far.Write(buffer[:n]) // nobody there is a lost datagram
	}
}

func (tap *Tap) answers(near, far *net.UDPConn, client netip.AddrPort) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := far.Read(buffer)
		if err != nil {
			return // stopped, or nobody is there
		}
		tap.datagram(client, false, buffer[:n])
		_, _ = near.WriteToUDPAddrPort(buffer[:n], client)
	}
}

func (tap *Tap) datagram(from netip.AddrPort, client bool, data []byte) {
	src, dst := tap.ends(net.UDPAddrFromAddrPort(from)).from(client)
	ip := header(src, dst, layers.IPProtocolUDP)
	udp := &layers.UDP{SrcPort: layers.UDPPort(src.Port()), DstPort: layers.UDPPort(dst.Port())}
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		tap.t.Errorf("wiretap: %v", err)
	}
	tap.record(ip, udp, gopacket.Payload(data))
}
