// Package peers starts others' servers for tests and benchmarks: a mochi broker, go-coap's servers, and
// from Debian's packages Mosquitto and libcoap; and a client of another's, paho. What a device says to them is
// judged by code that knows nothing of this project.
//
// A server listens on a free port of loopback and ends, with its goroutines, when the test does.
// [Cost] is the benchmark that measures what a device costs, its own or a library's, against a peer.
package peers
