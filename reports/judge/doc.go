// Package judge compares the claims of a story with the result of a run: each check of the plan becomes a
// finding with its value, limit, margin and number of samples, and all findings together give a verdict. It
// works on values in memory only: it starts no goroutine and does no I/O.
//
// A finding that cannot be trusted is invalid; one that lacks data is not judged, with the reason; neither
// counts as passed. A check is one method of judge in the file of its subject, and a line in
// find.
package judge
