package auth

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

// Kind is what a broker asks.
type Kind string

// The kinds of questions, as the paths of their URLs.
const (
	KindUser     Kind = "user"     // may this name with this password log in
	KindVHost    Kind = "vhost"    // may this user use this part of the broker
	KindResource Kind = "resource" // may this user use this queue, or exchange
	KindTopic    Kind = "topic"    // may this user write to, or read from, this topic
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{KindUser, KindVHost, KindResource, KindTopic} }

// Answer is what became of a question.
type Answer string

// The answers.
const (
	Allowed Answer = "allowed"
	Denied  Answer = "denied"
	Failed  Answer = "errors" // 500
)

// Record is one question, or that the process of the service did not run for a while.
type Record struct {
	At     time.Time // by the wall clock of the service's process; of a stall, its end
	Kind   Kind
	Answer Answer
	Stall  time.Duration // more than 0: it is a stall of that length, and neither a Kind nor an Answer
}

// Write appends r to a pipe, in one piece.
func (r *Record) Write(w io.Writer) error {
	var err error
	if r.Stall > 0 {
		_, err = fmt.Fprintf(w, "%d stall %d\n", r.At.UnixNano(), r.Stall.Nanoseconds())
	} else {
		_, err = fmt.Fprintf(w, "%d %s %s\n", r.At.UnixNano(), r.Kind, r.Answer)
	}
	return err
}

// ReadRecords calls told for each record, from its own goroutine, until the pipe ends.
func ReadRecords(from io.Reader, told func(Record)) error {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var at, length int64
		var r Record
		text := lines.Text()
		if n, _ := fmt.Sscanf(text, "%d stall %d", &at, &length); n == 2 {
			r.Stall = time.Duration(length)
		} else if _, err := fmt.Sscan(text, &at, &r.Kind, &r.Answer); err != nil {
			return fmt.Errorf("auth: not a record: %q", text)
		}
		r.At = time.Unix(0, at)
		told(r)
	}
	return lines.Err()
}
