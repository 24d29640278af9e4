package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/sim/rehearsal"
)

// When the result cannot be written, its verdict has been told, and the error says what is missing. A verdict that
// nobody can look into is not passed.
func TestD3_9_TheVerdictIsToldBeforeItIsWritten(t *testing.T) {
	for verdict, want := range map[reports.Verdict]int{reports.Passed: exitInvalid, reports.Failed: exitFailed} {
		for _, quiet := range []bool{false, true} {
			dir := filepath.Join(t.TempDir(), "out")
			out, err := render.Take(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			if err := os.RemoveAll(dir); err != nil { // as good as a disk that takes nothing more
				t.Fatal(err)
			}
			run := sampleRun(t)
			run.Stories[0].Verdict = verdict
			var said bytes.Buffer
			c := rootCommand()
			c.SetOut(&said)
			c.SetErr(&said)
			err = finish(c, &rehearsal.Outcome{Run: *run}, false, &rehearsal.Display{W: &said, Quiet: quiet}, out)
			var e *exitError
			if !errors.As(err, &e) || e.code != want || !strings.Contains(err.Error(), dir+" has no report, and what is said above is all there is") {
				t.Errorf("%s: %v", verdict, err)
			}
			told := string(verdict) + ": "
			if !quiet {
				told = strings.ToUpper(told)
			}
			if !strings.Contains(said.String(), told) || strings.Contains(said.String(), "result  ") {
				t.Errorf("%s, quiet %v: it says: %s", verdict, quiet, said.String())
			}
		}
	}
}
