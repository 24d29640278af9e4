package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"

	"github.com/spf13/cobra"
)

const rootHelp = `Myriad rehearses a device fleet. A story in plain Gherkin says what the fleet is, what happens to
it, and what must hold; Myriad drives the devices over MQTT and CoAP, breaks what the story says,
accounts for every message, and judges each sentence.

Exit codes: 0 passed, 1 failed, 2 story or usage error, 3 target never healthy,
4 invalid or not judged (nothing can be concluded), 5 interrupted. Of several stories the worst decides:
failed, then invalid, aborted, not judged, passed; so does the worst of a story's sentences. What may be Myriad's
own doing is invalid, not failed.`

const rootExamples = `  myriad run                                         the built-in quickstart, nothing else needed
  myriad run features/ --tags "@smoke and not @chaos"
  myriad run storm.feature:17 --target mosquitto     one scenario, against Mosquitto in a container
  myriad run storm.feature --target mqtt://127.0.0.1:1883 --scale 10
  myriad lint features/                              every mistake with its line, nothing is started
  myriad steps search reconnect                      which sentences there are
  myriad report build runs/last                      render a result folder again`

// globals are the flags that every verb has.
type globals struct {
	quiet     bool
	logFormat string
}

// logger returns where Myriad's own words go: warnings and errors, to w.
func (g *globals) logger(w io.Writer) (*slog.Logger, error) {
	level := slog.LevelWarn
	if g.logFormat == "json" {
		level = slog.LevelInfo
	}
	if g.quiet {
		level = slog.LevelError
	}
	o := &slog.HandlerOptions{Level: level}
	switch g.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, &exitError{exitUsage, fmt.Errorf("--log-format %q: write text or json", g.logFormat)}
}

// plainly says what a flag takes where Go's own words are about its functions.
func plainly(err error) error {
	text := err.Error()
	for _, rule := range [][2]string{
		{`strconv\.ParseUint: parsing .*$`, "write a whole number, 0 or more"},
		{`strconv\.(ParseInt|Atoi): parsing .*$`, "write a whole number"},
		{`strconv\.ParseFloat: parsing .*$`, "write a number, such as 0.5"},
		{`strconv\.ParseBool: parsing .*$`, "write true or false"},
		{`time: (invalid duration|unknown unit|missing unit).*$`, "write a time, such as 30s or 5m"},
	} {
		text = regexp.MustCompile(rule[0]).ReplaceAllString(text, rule[1])
	}
	return errors.New(text)
}

func rootCommand() *cobra.Command {
	g := new(globals)
	c := &cobra.Command{
		Use: "myriad", Short: "Rehearse a device fleet", Long: rootHelp, Example: rootExamples,
		SilenceUsage: true, SilenceErrors: true,
	}
	c.PersistentFlags().BoolVarP(&g.quiet, "quiet", "q", false, "print the verdicts, the totals and the folder of the result only")
	c.PersistentFlags().StringVar(&g.logFormat, "log-format", "text", "format of Myriad's own log on stderr: text; or json, which then tells the course of a run too")
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return plainly(err) })
	c.AddCommand(runCommand(g), planCommand(g), lintCommand(g), stepsCommand(), backendCommand(g), targetCommand(g), identityCommand(),
		reportCommand(), workerCommand(), deployCommand(), doctorCommand(), schemaCommand(), versionCommand())
	return c
}
