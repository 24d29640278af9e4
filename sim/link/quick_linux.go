package link

import (
	"net"
	"syscall"
)

// AckAtOnce gives a TCP connection of package net a method QuickAck() error, which lets the kernel acknowledge at
// once what was read (TCP_QUICKACK), as the connections of a [Dialer] to IP addresses have it. Other connections
// are returned as they are.
func AckAtOnce(conn net.Conn) net.Conn {
	if tcp, ok := conn.(*net.TCPConn); ok {
		return quick{tcp}
	}
	return conn
}

type quick struct{ *net.TCPConn }

// QuickAck acknowledges what was read.
func (q quick) QuickAck() error {
	raw, err := q.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	}); err != nil {
		return err
	}
	return failed
}
