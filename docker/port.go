package docker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
)

// Ports for targets are sought here: above the well-known ones, below the kernel's usual range.
const (
	portLow  = 15000
	portHigh = 32000
)

// freePort returns a port of 127.0.0.1 that is free now and, where possible, outside the range
// from which the kernel draws the ports of outgoing connections, so that it is still free when the
// broker comes back after a minute of 10,000 devices knocking.
func freePort() (int, error) {
	drawn := drawnPorts()
	for attempt := range 400 {
		port := portLow + rand.IntN(portHigh-portLow)
		if attempt < 200 && drawn(port) {
			continue
		}
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, errors.New("no free port between " + strconv.Itoa(portLow) + " and " + strconv.Itoa(portHigh))
}

// freePorts returns n different ones.
func freePorts(n int) (list []int, err error) {
	for len(list) < n {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, port) {
			list = append(list, port)
		}
	}
	return list, nil
}

// drawnPorts returns the kernel's range as a predicate; where it cannot be read, no port is in it.
func drawnPorts() func(port int) bool {
	var low, high int
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		_, err = fmt.Sscan(string(text), &low, &high)
	}
	return func(port int) bool { return err == nil && low <= port && port <= high }
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
