package backend

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/myriad-iot/myriad/sim"
)

// The child's side of the protocol between a Target and its children:
//   - arguments: -mqtt ADDRESS or -coap ADDRESS, and -journal if records go to descriptor 3;
//   - standard output: one line, the sim.Endpoints as JSON, once everything listens;
//   - standard error: what went wrong;
//   - standard input: nothing; the child ends when it does, and at SIGTERM.
const journalFD = 3

// ChildMain is the main function of a child process and returns its exit status. args are what
// [Target] appends to its Command.
func ChildMain(args []string) int {
	if err := child(args, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func child(args []string, stdin io.Reader, stdout io.Writer) error {
	o := Options{Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	f := flag.NewFlagSet("child", flag.ContinueOnError)
	f.StringVar(&o.MQTT, "mqtt", "", "run a broker at this `address`")
	f.StringVar(&o.CoAP, "coap", "", "run a CoAP server at this `address`")
	journaled := f.Bool("journal", false, "write journal records to descriptor 3")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("child: unexpected argument %q", f.Arg(0))
	}
	if o.MQTT == "" && o.CoAP == "" {
		return errors.New("child: neither -mqtt nor -coap")
	}
	var journal io.Writer
	if *journaled {
		journal = os.NewFile(journalFD, "journal")
	}

	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, stdin)
		cancel()
	}()
	var unheard error
	err := Serve(ctx, o, journal, func(at sim.Endpoints) {
		unheard = json.NewEncoder(stdout).Encode(at)
	})
	return errors.Join(err, unheard)
}
