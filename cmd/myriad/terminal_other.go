//go:build !unix

package main

import "io"

// columns is not known here.
func columns(io.Writer) int { return 0 }
