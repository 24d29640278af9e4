// Package features holds the stories that come with Myriad, as files.
package features

import "embed"

// FS has the .feature files at its root. It is read only.
//
//go:embed *.feature
var FS embed.FS
