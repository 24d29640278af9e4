//go:build !race

package coap

const raceDetector = false
