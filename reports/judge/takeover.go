package judge

import (
	"fmt"

	"github.com/myriad-iot/myriad/reports"
)

// takenOver says what went over to other workers, and what is not known because of it.
func takenOver(in *reports.Input) []string {
	if len(in.Taken) == 0 {
		return nil
	}
	devices, first := 0, in.Taken[0].Begin
	for _, t := range in.Taken {
		devices += t.Devices
		first = min(first, t.Begin)
	}
	return []string{fmt.Sprintf("%d devices went over to other workers, from %s on, because theirs were lost: their %d messages "+
		"that were due before are simulator-lost, which is neither lost nor delivered", devices, inSeconds(first.Seconds()), in.Ledger.All.Gone)}
}

// disturbed turns a failure into "not judged" if the takeover of devices may have caused it: a takeover
// connects them again, all at once, and what they did before is not known. Claims about the ledger of
// messages are not changed, because the ledger leaves those devices out.
func (j *judge) disturbed(f *finding) {
	if len(j.in.Taken) == 0 || f.Verdict != reports.Failed || f.Check.Kind.Traits().Stands {
		return
	}
	f.skip("%s", join("it did not hold, and the takeover of devices may have been why", f.Note))
}
