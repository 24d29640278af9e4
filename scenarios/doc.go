// Package scenarios is the story language: it turns sentences into a [sim.Plan] and runs stories.
//
// A step is data (see [Step]): keyword, Cucumber Expression, one example, one line of explanation and
// a function that compiles it. [Load] reads feature files, selects stories and compiles each of them
// whole before anything starts; whatever cannot work comes back as [Problems], each with its place
// and a hint. [Suite.Run] lets godog walk through the stories: a Given does nothing any more, a When
// blocks until its act is over, and each Then reads its finding, so that one failed claim never hides
// the next.
//
// Steps follow one another: a When that names a duration takes that long. A phase is a named stretch
// of that timeline. Publish rates are those of all publishing fleets together at the declared counts;
// --scale multiplies the counts and leaves each device as it was.
//
// What godog would do differently is done here: matching, typed parameters, tag expressions, selection
// by line, verdicts and output. A story is handed to godog as its own feature text in which everything
// else is blank, so that lines keep their numbers and godog needs no filter.
//
// Load and Catalogue start no goroutine. Run blocks, starts none either, and calls the Runner and the
// Progress functions from the caller's goroutine. Durations are time.Duration and rates are per second.
package scenarios
