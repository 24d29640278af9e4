// Package link makes the connections that channels run on: TCP and UDP from source addresses that
// follow from the device's number, TLS 1.2 and 1.3 with a certificate of each device's own, and
// WebSocket (RFC 6455) for MQTT.
//
// Everything here blocks, and no goroutine outlives the call that started it but one: the clock's, which
// lives as long as a dialer has conns. A conn's read deadline is its device's clock: a Read that the deadline ended has lost nothing, over TLS
// and WebSocket too, and the next one goes on where it was. An abrupt close (SetLinger(0), then Close) says no goodbye on
// any layer.
//
// Source addresses. Left to the kernel, the choice of a port is a search that grows as the range
// fills. [Sources] is a law instead: the number of a device in the plan gives it an address and a
// block of ports of its own, and its attempts walk through the block, so that a reconnect does not meet
// the connection before it in TIME_WAIT.
//
// TLS is crypto/tls. What is ours is memory: one configuration for all devices of a server name, with
// the certificate minted from the handshake's context and dropped after it.
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
