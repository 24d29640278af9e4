package main

import (
	"io"
	"strings"
	"testing"
)

func TestD4_FlagsSayWhatTheyTake(t *testing.T) {
	for flag, want := range map[string]string{
		"--seed=-1":    `invalid argument "-1" for "--seed" flag: write a whole number, 0 or more`,
		"--seed=x":     `invalid argument "x" for "--seed" flag: write a whole number, 0 or more`,
		"--scale=half": `invalid argument "half" for "--scale" flag: write a number, such as 0.5`,
		"--workers=a":  `invalid argument "a" for "--workers" flag: write a whole number`,
		"--lease=5":    `invalid argument "5" for "--lease" flag: write a time, such as 30s or 5m`,
	} {
		c := rootCommand()
		c.SetArgs([]string{"run", flag})
		c.SetOut(io.Discard)
		c.SetErr(io.Discard)
		if err := c.Execute(); err == nil || err.Error() != want || strings.Contains(err.Error(), "strconv") {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
