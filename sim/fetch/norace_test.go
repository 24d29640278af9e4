//go:build !race

package fetch_test

const underRace = false
