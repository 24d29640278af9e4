// Package scenarios is the story language: it turns sentences into a [sim.Plan] and runs stories.
//
// A step is data (see [Step]): keyword, Cucumber Expression, one example, one line of explanation and
// a function that compiles it. [Load] reads feature files, selects stories and compiles each of them
// completely before anything starts; whatever cannot work is returned as [Problems], each with its
// position and a hint. [Suite.Run] lets godog execute the stories: a Given has nothing left to do, a
// When blocks until its act is over, and each Then reads its finding, so that one failed claim never
// hides the next.
//
// The When steps run one after another: one that names a duration takes that long. A phase is a named
// part of that timeline. Publish rates are those of all publishing fleets together at the declared
// counts; --scale multiplies the counts and does not change what each device does.
//
// This package does itself what godog would do differently: matching, typed parameters, tag expressions,
// selection by line, verdicts and output. It gives godog each story as the text of its feature file in
// which all other stories are blank, so that line numbers stay the same and godog needs no filter.
//
// Load and Catalogue start no goroutine. Run blocks, starts none either, and calls the Runner
// from the caller's goroutine. Durations are time.Duration and rates are per second.
package scenarios
