package peers

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim/host"
)

// startup is how long a server may take until it answers.
const startup = 20 * time.Second

// Program finds a program of a Debian package by the first of its names that is installed. The test is
// skipped where none is, or fails, as [Installed] says.
func Program(t testing.TB, debian string, names ...string) (path string) {
	t.Helper()
	path, ok := Installed(t, debian, names...)
	if !ok {
		t.SkipNow()
	}
	return path
}

// Installed is Program for a test that can do without. Where CI is set it cannot, and fails.
func Installed(t testing.TB, debian string, names ...string) (path string, ok bool) {
	t.Helper()
	for _, name := range names {
		for _, dir := range []string{"", "/usr/sbin", "/usr/local/sbin"} { // often not on a user's path
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path, true
			}
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("no %s: install Debian's %s", names[0], debian)
	}
	t.Logf("no %s (Debian's %s); it is required if CI is set", names[0], debian)
	return "", false
}

// Ports returns n ports of loopback for servers that cannot choose one themselves.
func Ports(t testing.TB, n int) []int {
	t.Helper()
	ports, err := host.FreePorts(n)
	if err != nil {
		t.Fatal(err)
	}
	return ports
}

// Mosquitto runs Debian's broker, if it is installed, and returns its address. The lines of mosquitto.conf
// are put below those of its one listener.
func Mosquitto(t testing.TB, lines string) (addr string) {
	t.Helper()
	program := Program(t, "mosquitto", "mosquitto")
	port := strconv.Itoa(Ports(t, 1)[0])
	file := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := "user root\nlistener " + port + " 127.0.0.1\n" + lines + "\n" // any other user cannot read the tests' files
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	addr = net.JoinHostPort("127.0.0.1", port)
	run(t, exec.Command(program, "-c", file), func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		_ = c.Close()
		return true
	})
	return addr
}

// Libcoap runs the first of libcoap's server programs that is installed, on UDP and TCP at addr, and with
// DTLS and TLS, where that program has them, at secure.
func Libcoap(t testing.TB, programs, args []string) (addr, secure string) {
	t.Helper()
	program := Program(t, "libcoap3-bin", programs...)
	port := Ports(t, 1)[0]
	for !host.IsFree(port + 1) { // where the secure forms are
		port = Ports(t, 1)[0]
	}
	addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	pong := make([]byte, 64)
	args = append([]string{"-A", "127.0.0.1", "-p", strconv.Itoa(port), "-d", "100"}, args...)
	run(t, exec.Command(program, args...), func() bool {
		c, err := net.Dial("udp", addr)
		if err != nil {
			return false
		}
		defer c.Close()
		if _, err := c.Write([]byte{0x40, 0, 0, 1}); err != nil { // an empty confirmable message (RFC 7252 4.3)
			return false
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		_, err = c.Read(pong)
		return err == nil
	})
	return addr, net.JoinHostPort("127.0.0.1", strconv.Itoa(port+1))
}

// run starts a server, waits until it is ready, and ends it with the test, which shows what it said if it
// failed.
func run(t testing.TB, server *exec.Cmd, ready func() bool) {
	t.Helper()
	var said bytes.Buffer
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = server.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = server.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s: %s", server.Path, &said)
		}
	})
	for until := time.Now().Add(startup); !ready(); time.Sleep(10 * time.Millisecond) {
		select {
		case <-ended:
			t.Fatalf("%s ended: %v", server.Path, server.ProcessState)
		default:
		}
		if time.Now().After(until) {
			t.Fatalf("%s does not answer after %v", server.Path, startup)
		}
	}
}
