//go:build unix && !linux

package backend

import "net"

func enlarge(c *net.UDPConn, n int) { _ = c.SetReadBuffer(n) }
