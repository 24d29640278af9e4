package http

import (
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// curl judges the same answers: what is one for us is the same one for it. Where it is more patient with a broken
// server than a device has to be, its codes say so.
func TestCurlJudgesTheSameAnswers(t *testing.T) {
	curl := peers.Program(t, "curl", "curl")
	for _, c := range answers() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = io.WriteString(conn, c.text)
				_ = conn.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			args := []string{"--disable", "--silent", "--http1.1", "--noproxy", "*", "--max-time", "10", "http://" + l.Addr().String() + "/"}
			if c.q.Offset > 0 {
				args = append(args, "--range", "5-")
			}
			out, err := exec.CommandContext(ctx, curl, args...).Output()
			code := 0
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				code = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			switch {
			case c.outcome == sim.OK && (code != 0 || string(out) != c.body):
				t.Errorf("curl: %d, %q", code, out)
			case c.outcome != sim.OK && !slices.Contains(c.curl, code):
				t.Errorf("curl: %d, %q; ours is %v", code, out, c.outcome)
			}
		})
	}
}
