// Package features holds the stories that come with Myriad, as files.
package features

import "embed"

// FS has the .feature files: stories at its root, and in bench the cases that other tools know by
// name. It is read only.
//
//go:embed *.feature bench/*.feature
var FS embed.FS
