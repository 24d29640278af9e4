// Package child runs this program again, as child processes that serve their parent: the embedded services and
// the far-end subscriber. Each has its own limit of descriptors and its own scheduler.
//
// The protocol, which a [Process] speaks and the child answers with [Lifetime] and [Pipe]:
//   - standard input: one line with what the child needs to know, if anything, and then nothing: the
//     child ends when it does, and at SIGTERM. A child of a [Pool] may wait for that line;
//   - standard output: one line, once the child is ready;
//   - standard error: what went wrong; its end becomes part of errors;
//   - descriptor 3: what the child reports, if the parent reads it;
//   - the environment: the parent's, without PATH.
//
// A child leads its own process group, so that ^C reaches only the parent. It ends when the parent ends, in
// whatever way that happens.
//
// Ownership. A Process owns one goroutine, plus those that serve the child's pipes, from [Start] until
// the child has been reaped and its pipes have been read to the end; then Done is closed. A [Pool] owns the
// processes that wait in it, until Start returns them or Close ends them.
package child
