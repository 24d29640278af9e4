//go:build !linux || (!amd64 && !arm64)

package link

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

const ownSockets = false

type clock struct{}

func dialSocket(context.Context, *clock, string, netip.AddrPort, netip.AddrPort) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

func departureOf(_ net.Conn, send func()) timer { return afterFunc(send) }
