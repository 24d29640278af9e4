package backend

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/child"
)

// ChildMain is the main function of a child process and returns its exit status. args are what
// [Target] appends to its Command: -SCHEME ADDRESS for each scheme to be served, -journal if records go
// to the child's pipe, and -identity if the first line of standard input is an [Identity] as JSON: a
// command line is anybody's to read. It is ready when everything listens, and says the sim.Endpoints as
// JSON then.
func ChildMain(args []string) int {
	if err := serveParent(args, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serveParent(args []string, stdin io.Reader, stdout io.Writer) error {
	o := Options{Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	f := flag.NewFlagSet("child", flag.ContinueOnError)
	for _, scheme := range sim.Schemes() {
		if at := o.field(scheme); at != nil {
			f.StringVar(at, string(scheme), "", "serve "+string(scheme)+" at this `address`")
		}
	}
	identified := f.Bool("identity", false, "read who the services are from standard input")
	journaled := f.Bool("journal", false, "write journal records to descriptor 3")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("child: unexpected argument %q", f.Arg(0))
	}
	if !o.mqtt() && !o.coap() {
		return errors.New("child: nothing to serve")
	}
	if *identified {
		in := bufio.NewReader(stdin)
		line, err := in.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &o.Identity)
		}
		if err != nil {
			return fmt.Errorf("child: identity: %w", err)
		}
		stdin = in
	}
	var records io.Writer
	if *journaled {
		records = child.Pipe()
	}
	ctx, cancel := child.Lifetime(stdin)
	defer cancel()
	var unheard error
	err := Serve(ctx, o, records, func(at sim.Endpoints) {
		unheard = json.NewEncoder(stdout).Encode(at)
	})
	return errors.Join(err, unheard)
}
