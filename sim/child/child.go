package child

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Pipe is descriptor 3 of a child whose parent reads it.
func Pipe() *os.File { return os.NewFile(pipeFD, "pipe") }

// Lifetime returns a context that ends when stdin ends, or at SIGTERM. It starts a goroutine that reads stdin
// and ends with it, or with the process.
func Lifetime(stdin io.Reader) (context.Context, context.CancelFunc) {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		cancel()
	}()
	return ctx, cancel
}
