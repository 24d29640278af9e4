// Package link makes the connections that channels run on: TCP and UDP from source addresses that
// follow from the device's number, TLS 1.2 and 1.3 with a certificate of each device's own, and
// WebSocket (RFC 6455) for MQTT.
//
// Everything here blocks, and no goroutine outlives the call that started it but one: the clock's, which
// lives as long as a dialer has sockets. A conn's read deadline is its device's clock: a Read that the deadline ended has lost nothing, over TLS
// and WebSocket too, and the next one goes on where it was. An abrupt close (SetLinger(0), then Close) sends nothing that ends
// the connection in an orderly way, on any layer.
//
// Weather. [Dialer.SetWeather] puts every conn of a binding under a [sim.Weather], right above its socket and
// below TLS, DTLS and WebSocket. It is a conn around the socket, so that without weather nothing is different,
// and a law (lane) that says of each packet when it arrives. A conn has no goroutine of its own for it: who reads
// waits until the first of what is held is due, and what is written is sent by a timer. While the weather is
// clear nothing is held, copied or allocated.
//
// What weather does to datagrams is exact: each is lost with the probability that was asked for, by a draw
// that follows from the device's key, the direction, the attempt and the number of the packet; in a cut all are
// lost; a rate sends one after the other, and loses what finds more than 64 KiB waiting; a smaller delay, as jitter
// draws it for each, lets one overtake another; what comes twice is drawn of what is not lost. ICMP errors are packets
// too, and come once.
//
// What it does to streams is a model, because the kernel's own TCP below it sees a perfect link. Its peer's
// kernel is told at once that everything came, and a peer may send ahead what fits its and our kernel's
// buffers and the 256 KiB that a conn holds. A stream stays in order: what jitter holds up holds up all
// behind it, which therefore takes longer on average than the delay. It is cut into segments of 1,460
// bytes; bytes that are read within a millisecond are one. A lost segment, and all behind it, arrives a
// retransmission timeout later: the round trip time and 200 ms (Linux's; 1 s for a connection's first) or,
// if that is more, four times what round trips differ by (RFC 6298 section 2.3), which doubles each time;
// after 15 nothing arrives any more. There is no fast retransmit and no congestion window. In a cut nothing
// passes and the connection stays; it goes on just when the cut ends, while a real TCP would try again a
// little later. Connecting takes a segment's way there and one back; in a cut it waits for the end or for
// its deadline. Close tells the peer when the link lets it, for up to two minutes; a close of an abrupt
// kind takes back what has not left the device.
//
// A NAT stands at the target's end of the link ([sim.Translated]). Datagrams that find that it has forgotten the
// device go on from another socket, and the old one is closed, so that what is sent to it gets an ICMP error, as from
// a NAT on Linux. A stream that it has forgotten is held back for good; its socket stays open for two minutes after
// the device has closed it, for the target must not hear of that. Our kernel still acknowledges what the target
// sends by it, until its buffer is full. The device's TCP gives up after the time that Linux takes.
//
// Delays count from when a packet is written, or read from the kernel: if the device
// reads late, that time is added. Rates are of payload, in each direction its own: headers are not counted.
//
// Source addresses. Left to the kernel, the choice of a port is a search that grows as the range
// fills. [Sources] is a law instead: the number of a device in the plan gives it an address and a
// block of ports of its own, and its attempts walk through the block, so that a reconnect does not meet
// the connection before it in TIME_WAIT.
//
// TLS is crypto/tls. What is ours is memory: one configuration for all devices of a server name, and
// each certificate is made for its handshake and not kept after it.
//
// Hand-made, and why: the sockets, on Linux, of devices that are not a library's. net's own are as good for
// a thousand devices. For a hundred thousand on a machine that is shared with the target they cost twice
// the time of a connect (81 us against 39 on a loopback), and each of their calls is one that the scheduler
// watches: when the kernel takes the core away during it, another thread is woken for nothing. These wait
// in the runtime's poller too, by an os.File. They are judged by golang.org/x/net/nettest.
//
// Hand-made, and why: the clock of these sockets, a timing wheel on a timerfd. A message counts from the
// instant at which it was due, and the runtime's poller, which waits in whole milliseconds, comes to it up
// to a millisecond late: more than a broker on the same machine takes to answer.
//
// Hand-made, and why: the WebSocket framing. gorilla/websocket and coder/websocket break a connection
// whose read meets its deadline, which to a device is the normal end of a wait, and keep a buffer for
// each direction; this one decodes in the caller's buffer, keeps none, and goes on after a deadline.
// The upgrade is net/http's.
package link
