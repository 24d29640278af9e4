package backend

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/child"
)

// order is what a child is told. It comes on standard input: other users could read it on the command line.
type order struct {
	Serve    map[sim.Scheme]string `json:"serve"` // addresses
	Identity Identity              `json:"identity"`
	Journal  bool                  `json:"journal"` // records go to the child's pipe
}

// ChildMain is the main function of a child process of a [Target] and returns its exit status. It takes no
// arguments: what to serve is the first line of standard input, as JSON. When everything listens, the child
// prints the sim.Endpoints as JSON on one line: then it is ready.
func ChildMain(args []string) int {
	err := fmt.Errorf("unexpected arguments %q", args)
	if len(args) == 0 {
		err = serveParent(bufio.NewReader(os.Stdin), os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serveParent(stdin *bufio.Reader, stdout io.Writer) error {
	line, err := stdin.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("child: read what to serve: %w", err)
	}
	var told order
	if err := json.Unmarshal(line, &told); err != nil {
		return fmt.Errorf("child: read what to serve: %w", err)
	}
	o := Options{Identity: told.Identity, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	for scheme, address := range told.Serve {
		at := o.field(scheme)
		if at == nil {
			return fmt.Errorf("child: it does not serve %q", scheme)
		}
		*at = address
	}
	if !o.mqtt() && !o.coap() {
		return errors.New("child: nothing to serve")
	}
	var records io.Writer
	if told.Journal {
		records = child.Pipe()
	}
	ctx, cancel := child.Lifetime(stdin)
	defer cancel()
	var unheard error
	err = Serve(ctx, o, records, func(at sim.Endpoints) {
		unheard = json.NewEncoder(stdout).Encode(at)
	})
	return errors.Join(err, unheard)
}
