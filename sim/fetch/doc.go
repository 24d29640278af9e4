// Package fetch downloads over lines that fetch, whatever their channel: it goes on where a broken line
// left off, tells whether that is still the same representation, and counts what the network carried for it.
//
// It has no goroutine and no I/O of its own: the lines are its caller's to open and to close, and what is
// fetched is handed on as it comes.
package fetch
