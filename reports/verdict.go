package reports

// Verdict is the judgement on a story, or on one sentence of it.
type Verdict string

// The verdicts. Invalid means that the simulator, not the target, was the limit; it is never a pass.
const (
	Passed    Verdict = "passed"
	Failed    Verdict = "failed"
	Invalid   Verdict = "invalid"
	NotJudged Verdict = "not judged"
	Aborted   Verdict = "aborted"
)

// Verdicts are all verdicts, the worst first. A failure that was shown stays one, whatever became of the other
// sentences or stories; then come those that could not be trusted, that were not finished, and that nobody
// could judge.
func Verdicts() [5]Verdict { return [...]Verdict{Failed, Invalid, Aborted, NotJudged, Passed} }

// Worst is the verdict on several sentences, or on several stories: the first of [Verdicts] that is among them,
// and NotJudged if there are none: what claims nothing has shown nothing.
func Worst(list ...Verdict) Verdict {
	among := make(map[Verdict]bool)
	for _, v := range list {
		among[v] = true
	}
	for _, v := range Verdicts() {
		if among[v] {
			return v
		}
	}
	return NotJudged
}

// Verdict is the run's: the worst of its stories'.
func (r *Run) Verdict() Verdict {
	var list []Verdict
	for _, s := range r.Stories {
		list = append(list, s.Verdict)
	}
	return Worst(list...)
}
