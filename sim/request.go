package sim

import (
	"context"
	"time"
)

// Request is what a device asks of a line that fetches. Path and the names are HTTP's; CoAP has the same
// under other names. It is read only, and valid until the call that it is passed to returns.
type Request struct {
	Method string // empty is GET. HTTP: any token; CoAP: GET, POST, PUT, DELETE, FETCH, PATCH or iPATCH
	Path   string // percent-encoded, from the first "/", with "?" and the query if there is one

	ContentType string // of Body, if there is one. CoAP: a registered name, or the Content-Format in decimal
	Accept      string // what the answer may be; empty: anything. CoAP: as ContentType
	Body        []byte

	// ETag is that of the representation which the device has already, as an [Answer] gave it. With Offset 0
	// it asks for another one only: If-None-Match in HTTP, ETag in CoAP, and code 304 or 203 says that there
	// is none. With Offset above 0 it names what the first Offset bytes are of: the answer goes on behind them,
	// or begins at 0 because there is another representation now. Answer.Offset says which. An Offset is for GET
	// only, in CoAP also for FETCH.
	ETag   string
	Offset int64 // bytes, from 0

	Header []Field // HTTP: further header fields; CoAP has none, and a request with them is LocalOther
}

// Field is one header field of HTTP (RFC 9110 section 5).
type Field struct{ Name, Value string }

// Answer is the head of a response. Its body goes to a [Body] as it comes.
type Answer struct {
	// Code is HTTP's status, or CoAP's code as class*100+detail: 205 is CoAP's 2.05 (Content), where HTTP
	// says 200; 404 is both.
	Code int

	// Status is the class of Code: OK if the request did what was asked, which 304 and 203 (CoAP's 2.03)
	// count as; else what the layer has for it, as [HTTPUnavailable] or [CoAPUnavailable].
	Status Outcome

	ContentType string // empty: not said. CoAP: as in Request
	ETag        string // empty: none. HTTP: with its quotes; CoAP: in hexadecimal
	Location    string // HTTP: Location, which nobody follows; CoAP: Location-Path and Location-Query

	Size     int64 // bytes of the whole representation; -1 while it is unknown
	Offset   int64 // where in the representation the body begins: 0, or Request.Offset, or what the peer made of it
	Received int64 // bytes of the body so far: the next part lies at Offset+Received

	RetryAfter time.Duration // what the peer asks to wait; CoAP: Max-Age of 4.29 and 5.03; 0: not said
	Attempts   int           // HTTP: connections that were opened for it, 0 if one stood; CoAP: datagrams that were sent, repetitions too
}

// Body takes the parts of a response's body in order, each of them once. Neither a nor part is valid after
// it returns; part is never empty. It looks at a.Status, because what comes with an error is a message about the error, and
// at a.Offset, because what was asked for by an offset may begin elsewhere. An error ends the request with
// the outcome AppStopped.
type Body func(a *Answer, part []byte) error

// Requester is an open line that fetches. All methods belong to one goroutine at a time; it starts none
// that outlives a call.
type Requester interface {
	// Request asks q and returns when the answer came whole (OK, whatever its code is), or could not
	// (anything else; the Answer then tells what is known so far, with Code 0 before its head came).
	// body may be nil if what comes is of no interest. The deadline of ctx bounds all of it; its Done need
	// not tell of that, see [Deadline]. Once ctx is cancelled the outcome is AppUnknown. After a failure
	// the requester may be asked again; one that cannot go on says why again.
	Request(ctx context.Context, q *Request, body Body) (Answer, Outcome)

	// Close ends the line. Abrupt: without telling the peer, as a power loss does.
	Close(abrupt bool)
}

// Opener opens lines that fetch for the devices of one binding. Open blocks at most the binding's connect
// timeout, starts no goroutine that outlives it, and may be called from many goroutines.
type Opener interface {
	Open(ctx context.Context, c *Caller) (Requester, Facts, Outcome)
}
