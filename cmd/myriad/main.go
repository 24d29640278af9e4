// Command myriad rehearses device fleets: it runs stories written in Gherkin with many virtual
// MQTT and CoAP devices against a broker and a backend, accounts for every message, and gives a
// verdict. See `myriad --help`.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/sim/rehearsal"
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

// exitError carries an exit code through cobra. If err is nil, the error has been printed already.
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

func main() {
	if code, part := rehearsal.Child(os.Args[1:]); part {
		os.Exit(code)
	}
	debug.SetTraceback("crash") // what Go's runtime ends, out of memory or threads, is a signal's end, not exitUsage
	os.Exit(perform(rootCommand(), os.Args[1:]))
}

// perform runs a command and returns its exit code. What went wrong is on its standard error.
func perform(root *cobra.Command, args []string) int {
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
		fmt.Fprintln(root.ErrOrStderr(), "myriad:", e.err)
	}
	return e.code
}
