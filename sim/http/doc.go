// Package http is the HTTP channel of device fleets: an [Opener] opens lines that fetch, over HTTP/1.1
// (RFC 9112) on plain TCP or TLS.
//
// The messages are net/http's to write and to read. The connections are ours, as in the other channels,
// so that devices keep their source addresses, certificates, deadlines and outcomes: net/http's Transport
// has two goroutines and 12 KB for each connection, decides itself when to reuse one, and shares them
// between devices.
//
// Connections. A line has one connection at a time. [Opener.Open] makes it, Close ends it, and until then
// one request after the other goes over it. If the peer has ended it meanwhile, or wants to after an
// answer, the next request makes another. A request that went over a connection that had been used before,
// and of which nothing was heard, is repeated once on a new one if its method is idempotent (RFC 9110
// section 9.2.2), since the peer may have closed while it was on its way. Nothing else is repeated here.
//
// What an answer is. Any whole response is one, whatever its status: the outcome is OK, and Answer.Code
// and Answer.Status say what the peer thought. Redirects are not followed: Answer.Location has the address.
// Interim responses (1xx) are read over. An outcome other than OK means that no whole answer came: the connection
// could not be made (its class is that of the layer), or ended, or said what HTTP forbids, or said nothing
// for too long.
//
// Parts of a representation (RFC 9110 section 14). Request.Offset above 0 asks for the rest by Range, with If-Range if
// the entity tag is a strong one. 206 must say where its part begins, and Answer.Offset repeats it. 200
// means that the peer sends all of it, from 0: it has another representation, or does not know ranges.
// 416 has no part; Answer.Size is then how long the peer says the representation is.
//
// Bounds. A head is at most 16 KiB and 100 fields long, with the interim ones before it. A body has no bound:
// it is handed on as it comes, in parts of at most 8 KiB, and ends when its reader says so. Buffers are
// borrowed for the time of a request: a line that waits has none.
//
// Goroutines: none. The device's own blocks in [Line.Request]; cancelling its context moves the connection's
// deadline to the past.
package http
