//go:build race

package bubble

// Race: the race detector is on, and all takes some ten times as long.
const Race = true
