// Package fault holds what a story can do to a service of its target, and to its devices, one file for each:
// what it needs, what it does, and what events tell of it. A new fault is a file here, a line in the table,
// and the sentence that asks for it, in scenarios.
//
// A fault of a service, but for half of a pair, mends what it broke, also when its context ends before its time: a run that is stopped
// drains through a target that answers. Run blocks and starts no goroutine.
package fault
