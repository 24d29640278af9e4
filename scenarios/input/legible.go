package input

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// NotUTF8 says where a text is not UTF-8, and what it may be instead.
type NotUTF8 struct {
	Line, Column int // from 1; a column counts characters
	Wrong, Right string
}

// Error implements error.
func (e *NotUTF8) Error() string { return e.Wrong + ": " + e.Right }

// Illegible finds the first place at which b is not UTF-8; nil if it is all UTF-8.
func Illegible(b []byte) *NotUTF8 {
	const right = "save the file as UTF-8"
	head := b[:min(len(b), 64)]
	switch {
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}), bytes.HasPrefix(b, []byte{0xFE, 0xFF}), 3*bytes.Count(head, []byte{0}) > len(head):
		return &NotUTF8{Line: 1, Column: 1, Wrong: "the file is UTF-16", Right: right}
	case utf8.Valid(b):
		return nil
	}
	n := 0
	for line := range bytes.Lines(b) {
		if n++; utf8.Valid(line) {
			continue
		}
		column := 1
		for len(line) > 0 {
			r, size := utf8.DecodeRune(line)
			if r == utf8.RuneError && size == 1 {
				break
			}
			line, column = line[size:], column+1
		}
		// As Latin-1, where each byte is the character of the same number, it can be shown.
		return &NotUTF8{Line: n, Column: column, Right: right,
			Wrong: fmt.Sprintf("the byte %#x at character %d is not UTF-8, and in Latin-1 it is %q", line[0], column, rune(line[0]))}
	}
	return nil
}
