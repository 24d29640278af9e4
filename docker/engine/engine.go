package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
)

// answerTimeout bounds the search for an engine: a user without Docker shall know at once.
const answerTimeout = 2 * time.Second

// errNoEngine is returned when no Docker engine of this machine answers.
var errNoEngine = errors.New("no Docker engine answers on this machine")

// connect finds the engine of this machine. testcontainers-go would look for it too, but with no
// time limit, and it keeps the first answer, good or bad, for the life of the process. So it is
// found here and handed on as DOCKER_HOST.
func connect(ctx context.Context) (*client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	hosts, err := engineHosts()
	if err != nil {
		return nil, err
	}
	var tried []string
	for _, host := range hosts {
		cli, err := dial(ctx, host)
		if err == nil {
			return cli, nil
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %v", answerTimeout)
		}
		tried = append(tried, fmt.Sprintf("%s (%v)", host, err))
	}
	return nil, fmt.Errorf("%w: tried %s; start Docker, point DOCKER_HOST at its socket, "+
		"or use the embedded target, which needs none", errNoEngine, strings.Join(tried, ", "))
}

func dial(ctx context.Context, host string) (*client.Client, error) {
	if path, ok := strings.CutPrefix(host, "unix://"); ok {
		// The client's own words for a missing socket are long and guess; the system's are short.
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
		if err != nil {
			return nil, reason(err)
		}
		conn.Close()
	}
	cli, err := client.New(client.FromEnv, client.WithHost(host))
	if err != nil {
		return nil, err
	}
	if _, err := cli.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		cli.Close()
		return nil, err
	}
	return cli, nil
}

// reason strips "dial unix /path: connect:" from err, for the address is named beside it.
func reason(err error) error {
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return sys.Err
	}
	return err
}

// engineHosts lists where an engine may listen, the order being testcontainers-go's.
func engineHosts() ([]string, error) {
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		if !isLocal(host) {
			return nil, fmt.Errorf("DOCKER_HOST %s is not on this machine: start the broker there, "+
				"and name its address as the target", host)
		}
		return []string{host}, nil
	}
	hosts := []string{"unix:///var/run/docker.sock"}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		hosts = append(hosts, "unix://"+filepath.Join(dir, "docker.sock"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		hosts = append(hosts,
			"unix://"+filepath.Join(home, ".docker", "run", "docker.sock"),
			"unix://"+filepath.Join(home, ".docker", "desktop", "docker.sock"))
	}
	return hosts, nil
}

// isLocal reports whether host, a value of DOCKER_HOST, is a socket file or a loopback address.
func isLocal(host string) bool {
	u, err := url.Parse(host)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "unix", "npipe":
		return true
	case "tcp", "http", "https":
		ip := net.ParseIP(u.Hostname())
		return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	}
	return false
}

// sharesNetwork reports whether a container in the engine's host network is in this process's: a
// native engine on this Linux, neither in a virtual machine nor in a network namespace of its own.
func sharesNetwork(host string, info system.Info) bool {
	return runtime.GOOS == "linux" && info.OSType == "linux" &&
		strings.HasPrefix(host, "unix://") &&
		!strings.Contains(info.OperatingSystem, "Docker Desktop") &&
		!slices.ContainsFunc(info.SecurityOptions, func(o string) bool {
			return strings.Contains(o, "name=rootless") || strings.Contains(o, "name=userns")
		})
}
