package host

import (
	"math"

	"github.com/myriad-iot/myriad/sim"
)

// What a device costs in the generator, in bytes of resident memory: the bounds that the engine is
// held to, not measurements of this machine. A plain MQTT device was measured at 3.6 KB idle and
// 4.6 KB active, over TLS 1.3 at 12.7 and 15.5 KB, a CoAP device at 4 to 11 KB. BrokerClient is a
// client of the embedded broker, which takes 27 to 78 KB; the upper end counts. WorkerProcess is a worker
// without devices, measured at 28 MB. TCPSocket is what the kernel keeps, outside the process, for one end of a
// connection that is nearly always empty: a million of them, both ends on one machine, took 10.3 GB. UDPSocket
// is likewise a device's, by 19,000 of them that took 58 MB; their server has one for all.
const (
	MQTTDevice    = 6_000
	TLSDevice     = 20_000
	CoAPDevice    = 6_000
	DTLSDevice    = 30_000
	BrokerClient  = 78_000
	TCPSocket     = 5_200
	UDPSocket     = 3_000
	WorkerProcess = 30_000_000
)

// What a process keeps of its descriptors for other things than devices: Reserve at most.
const (
	Reserve      = 1_000
	leastReserve = 32
)

// Carries is the number of devices that a process with so many descriptors carries, or of clients that a
// process of the embedded broker does: one descriptor each. A twentieth is kept for other things, but 32 at
// least and [Reserve] at most: a worker and a broker were seen with 13 of their own, and a broker has the old
// connection of a device for a moment beside the new one. It is 0 if nothing is left.
func Carries(files uint64) int {
	kept := max(leastReserve, min(Reserve, files/20))
	if files <= kept {
		return 0
	}
	return int(min(files, math.MaxInt32) - kept)
}

// Processes is how many processes with so many descriptors each carry the devices; 0 if one carries none.
func Processes(devices int, files uint64) int {
	each := Carries(files)
	if each == 0 {
		return 0
	}
	return (devices + each - 1) / each
}

// Need is what is to run on a machine. The zero value needs nothing.
type Need struct {
	MQTT, MQTTOverTLS  int  // devices; TLS includes secure WebSocket
	CoAP, CoAPOverDTLS int  // devices; CoAP over TCP counts as MQTT, over TLS as MQTT over TLS
	Silent             int  // sockets of devices that lost power, which stay open until the run's end beside those of now
	Embedded           bool // the embedded target runs on the machine too
	Destinations       int  // endpoints of the target that TCP devices dial; at least 1 is assumed
	SourceAddresses    int  // addresses that devices dial from; at least 1 is assumed
}

// Add counts n devices that speak a channel over a transport.
func (n *Need) Add(c sim.Channel, t sim.Transport, devices int) {
	switch {
	case t == sim.TransportDTLS:
		n.CoAPOverDTLS += devices
	case t.Secured():
		n.MQTTOverTLS += devices
	case c == sim.ChannelCoAP && t == sim.TransportPlain:
		n.CoAP += devices
	default:
		n.MQTT += devices
	}
}

// Devices is the number of all devices.
func (n Need) Devices() int { return n.tcp() + n.udp() }

// Sockets is the number of the devices' sockets: one each, and the silent ones.
func (n Need) Sockets() int { return n.Devices() + n.Silent }

func (n Need) tcp() int { return n.MQTT + n.MQTTOverTLS }
func (n Need) udp() int { return n.CoAP + n.CoAPOverDTLS }

// Memory is what the workers with their devices, the kernel's sockets, and the embedded broker's side of it all
// take: bytes.
func (l Limits) Memory(n Need) uint64 {
	b := n.MQTT*MQTTDevice + n.MQTTOverTLS*TLSDevice + n.CoAP*CoAPDevice + n.CoAPOverDTLS*DTLSDevice +
		(n.tcp()+n.Silent)*TCPSocket + n.udp()*UDPSocket
	if n.Embedded {
		b += n.tcp() * (BrokerClient + TCPSocket)
	}
	return uint64(b + l.Workers(n)*WorkerProcess)
}

// files is the number of descriptors that a process may have; 0 if it could not be read.
func (l Limits) files() uint64 {
	if l.HardFiles == Unlimited {
		return l.FilesPerProcess
	}
	return l.HardFiles
}

// PerProcess is what [Carries] says of the limit on descriptors, 0 if it could not be read.
func (l Limits) PerProcess() int { return Carries(l.files()) }

// Workers is the number of worker processes for n, 0 if that cannot be known.
func (l Limits) Workers(n Need) int { return Processes(n.Sockets(), l.files()) }

// Brokers is the number of processes of the embedded broker for n.
func (l Limits) Brokers(n Need) int {
	if !n.Embedded {
		return 0
	}
	return Processes(n.tcp(), l.files())
}
