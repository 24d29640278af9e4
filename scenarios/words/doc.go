// Package words reads and prints the values that stories, profiles and the command line share: counts,
// durations, percentages, rates, protocols, qualities of service and the names of closed lists. One
// language has one reader: a value is written in the same way wherever it stands, and its mistake is told
// in the same words.
//
// Every reader returns a [*sim.Mistake], which says what is wrong and what would be right. What a reader
// takes fits the pattern of its [Kind], which is what sentences and the JSON Schema are matched with, and
// what a printer writes is read back as the same value.
//
// The notation of numbers. A comma or an underscore groups thousands, in threes from the right: 250,000.
// A point is the decimal sign, and counts have one only before k or M: 1.2M is 1,200,000, while 1.000 is a
// mistake, because it is a thousand to some readers and one to others. There are no signs.
//
// The package starts no goroutine and does no I/O.
package words
