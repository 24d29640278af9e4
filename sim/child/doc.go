// Package child runs this program again, as child processes that serve their parent: the embedded
// services and the far-end subscriber. They have descriptors and a schedule of their own.
//
// The protocol, which a [Process] speaks and the child answers with [Lifetime] and [Pipe]:
//   - standard input: one line with what the child needs to know, if anything, and then nothing: the
//     child ends when it does, and at SIGTERM;
//   - standard output: one line, once the child is ready;
//   - standard error: what went wrong; its end becomes part of errors;
//   - descriptor 3: what the child reports, if the parent reads it.
//
// A child leads a process group of its own, so that ^C reaches the parent alone, and nothing is left
// behind when the parent dies, however it dies.
//
// Ownership. A Process owns one goroutine, plus those that serve the child's pipes, from [Start] until
// the child has been reaped and its pipes have been read to the end; then Done is closed.
package child
