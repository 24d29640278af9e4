// Package render writes a run's result folder and everything that is drawn from it: JUnit XML,
// Markdown, CI annotations, the HTML report, Prometheus metrics, the terminal summary and the live
// block.
//
// The folder is the contract, and [Formats] is the table of what is in it. [Write] stores the machine
// files and then calls [Build], which draws the others from those files alone: a folder that was copied
// here from elsewhere gives the same bytes.
//
// Units: seconds, messages, devices and bytes; fields whose JSON name ends in _ns are nanoseconds
// since the run's origin, and the histograms of hist.hlog hold microseconds. Stories are numbered
// from 0 in the machine files.
//
// The package owns no goroutine. Charts are SVG written by hand here (svg.go, axis.go), because
// the report must be complete in one file without scripts, fonts or network. JUnit is written by
// hand because runners' own writers miscount outlines and know no file and line.
package render
