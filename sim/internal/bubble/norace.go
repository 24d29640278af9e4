//go:build !race

package bubble

// Race: the race detector is off.
const Race = false
