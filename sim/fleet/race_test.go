//go:build race

package fleet_test

// underRace: the race detector makes messages ten times as dear, and more of them than two cores carry
// are a test of the machine.
const underRace = true
