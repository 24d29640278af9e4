package backend

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/myriad-iot/myriad/sim/auth"
	"github.com/myriad-iot/myriad/sim/child"
)

// authOrder is what the process of an auth service is told, on its standard input.
type authOrder struct {
	Serve string       `json:"serve"` // the address
	Token string       `json:"token"`
	Users []auth.Group `json:"users"`
}

// idleFor is how long a connection of a broker is kept that asks nothing.
const idleFor = 2 * time.Minute

// AuthMain is the main function of the process of an [Auth] and returns its exit status. What to serve is the first line of
// standard input. When it listens, it prints its address: then it is ready.
func AuthMain(args []string) int {
	err := fmt.Errorf("unexpected arguments %q", args)
	if len(args) == 0 {
		err = serveAuth(bufio.NewReader(os.Stdin), os.Stdout, child.Pipe())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serveAuth(stdin *bufio.Reader, stdout, records io.Writer) error {
	line, err := stdin.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("auth: read what to serve: %w", err)
	}
	var told authOrder
	if err := json.Unmarshal(line, &told); err != nil {
		return errors.New("auth: what to serve is not JSON") // its error would quote passwords
	}
	ctx, cancel := child.Lifetime(stdin)
	defer cancel()
	l, err := net.Listen("tcp", told.Serve)
	if err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	s := &auth.Server{Users: auth.NewUsers(told.Users), Token: told.Token, Log: records}
	web := http.Server{Handler: s, ReadHeaderTimeout: idleFor, IdleTimeout: idleFor, ErrorLog: log.New(io.Discard, "", 0)}
	return runAll(ctx, []func(context.Context) error{
		func(ctx context.Context) error {
			defer context.AfterFunc(ctx, func() { _ = web.Close() })()
			if _, err := fmt.Fprintln(stdout, l.Addr()); err != nil {
				return errors.Join(err, l.Close())
			}
			if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
		func(ctx context.Context) error {
			child.Stalls(ctx, func(from, to time.Time) { _ = s.Note(&auth.Record{At: to, Stall: to.Sub(from)}) })
			return nil
		},
	})
}
