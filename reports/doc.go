// Package reports turns what devices and probes observed into a result: the ledger that accounts
// for every message, the folding of samples into histograms, and the judging of checks. It holds
// values only: it starts no goroutine and does no I/O; package render writes and draws.
package reports
