package backend

import (
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
// [Target] appends to its Command: -mqtt ADDRESS or -coap ADDRESS, and -journal if records go to the
// child's pipe. It is ready when everything listens, and says the sim.Endpoints as JSON then.
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
