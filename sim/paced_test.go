package sim

import (
	"testing"
	"time"
)

func TestTimesHasNoExponent(t *testing.T) {
	for x, want := range map[float64]string{1.2345: "1.23", 12.34: "12.3", 1342.7: "1340", 98765: "98800", 2: "2"} {
		if got := times(x); got != want {
			t.Errorf("%v: %q, want %q", x, got, want)
		}
	}
}

// An act that takes longer than the story says tells so, and the acts after it come later by that.
func TestD1_10_SlowerConnectsSaySo(t *testing.T) {
	second := Duration(time.Second)
	p := &Plan{Acts: []Act{
		{Kind: ActConnect, Text: "fleet \"meters\" connects at 100,000/s", Rate: 100_000, Over: second, Hold: second},
		{Kind: ActPhaseRun, Text: "phase \"steady\" runs for 2s", At: second, Hold: 2 * second},
	}}
	q := p.Slower(4, 1)
	if got, want := q.Acts[0], "fleet \"meters\" connects at 100,000/s (paced: takes 4 times as long)"; got.Text != want || got.Rate != 25_000 || got.Hold != 4*second {
		t.Errorf("%+v", got)
	}
	if got := q.Acts[1]; got.Text != p.Acts[1].Text || got.At != 4*second || got.Hold != 2*second {
		t.Errorf("%+v", got)
	}
	if p.Acts[0].Rate != 100_000 {
		t.Error("the story's own plan has changed")
	}
}

// Bursts at full hours are no smaller if they are further apart.
func TestSlowerLeavesFullHours(t *testing.T) {
	p := &Plan{Fleets: []Fleet{{Skills: []Skill{{Every: Duration(time.Hour), Full: true}, {Every: Duration(time.Hour)}}}}}
	if s := p.Slower(1, 3).Fleets[0].Skills; s[0].Every != Duration(time.Hour) || s[1].Every != Duration(3*time.Hour) {
		t.Errorf("%+v", s)
	}
}
