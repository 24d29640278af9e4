package main

import (
	"os"
	"runtime/debug"
)

// collectEarly makes the garbage collector keep the heap close to what lives. A fleet's memory is
// nearly all live and hot paths do not allocate, so a collection is rare whatever the setting,
// and room for garbage would be a third of every device. GOGC in the environment overrules it.
func collectEarly() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(10)
	}
}
