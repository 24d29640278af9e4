// Command myriad rehearses device fleets: it runs stories written in Gherkin with many virtual
// MQTT and CoAP devices against a broker and a backend, accounts for every message, and gives a
// verdict. `myriad --help` tells the rest.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/myriad-iot/myriad/sim/backend"
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/probe"
)

// Exit codes. They are part of the interface.
const (
	exitPassed      = 0
	exitFailed      = 1
	exitUsage       = 2 // a story, a profile or a flag is wrong; nothing was started
	exitNotHealthy  = 3 // the target never came up
	exitInvalid     = 4 // nothing can be concluded: Myriad was the limit, or the target lacks what the story needs
	exitInterrupted = 5
)

// exitError carries an exit code through cobra. A nil Err has been told already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// What this program re-executes itself with, for a process of the embedded target and for the far-end
// subscriber. These are no commands for people, so cobra does not know them.
const (
	backendChild = "backend-child"
	probeChild   = "probe-child"
	workerChild  = "worker-child"
)

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case backendChild:
			os.Exit(backend.ChildMain(os.Args[2:]))
		case probeChild:
			child.Reborn()
			os.Exit(probe.ChildMain(os.Args[2:]))
		case workerChild:
			child.Reborn()
			os.Exit(workerMain())
		}
	}
	os.Exit(command(os.Args[1:]))
}

func command(args []string) int {
	root := rootCommand()
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return exitPassed
	}
	var e *exitError
	if !errors.As(err, &e) {
		e = &exitError{exitUsage, err} // cobra's own: a wrong flag or argument
	}
	if e.err != nil {
		fmt.Fprintln(os.Stderr, "myriad:", e.err)
	}
	return e.code
}
