//go:build race

package coap

// raceDetector makes sync.Pool drop what it is given at random: allocations mean nothing then.
const raceDetector = true
