//go:build race

package device

const raceEnabled = true // sync.Pool then forgets at random
