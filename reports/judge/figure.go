package judge

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// figure judges what a service told of itself: the highest value in a window, or the last where it has to be exact.
// Without a window, what it told after the end counts too, for some tell only now and then.
func (j *judge) figure(f *finding) {
	c := f.Check
	in, why := j.touched(&c.Window)
	if why != "" {
		f.skip("%s", why)
		return
	}
	i := slices.IndexFunc(j.in.Figures, func(b ledger.Figures) bool { return b.Service == c.Service })
	if i < 0 || len(j.in.Figures[i].Named)+len(j.in.Figures[i].Others()) == 0 {
		f.skip("%q told nothing of itself", c.Service)
		return
	}
	book := &j.in.Figures[i]
	one := book.Find(c.Figure)
	if one == nil {
		f.skip("%q tells no figure %q: %s", c.Service, c.Figure, near(c.Figure, book))
		return
	}
	from, to := max(sim.Instant(in.from)*time.Second, j.in.Plan.WarmUp.D()), sim.Instant(math.MaxInt64)
	if in.to < math.MaxInt {
		to = sim.Instant(in.to) * time.Second
	}
	points := one.Within(from, to)
	if len(points) == 0 || book.Until < from {
		f.skip("the window has no value of %q: %q told nothing in it", c.Figure, c.Service)
		return
	}
	decides := slices.MaxFunc(points, func(a, b ledger.FigurePoint) int { return cmp.Compare(a.Value, b.Value) })
	which := "the highest"
	if c.Bound == sim.Exactly {
		decides, which = points[len(points)-1], "the last"
	}
	f.claim(decides.Value, c.Bound, c.Limit, int64(len(points)), "")
	f.Note = fmt.Sprintf("%s of %d values, each unlike the one before, since second %d; over the run it was %s at first, %s at last and %s at most",
		which, len(points), decides.At/time.Second, amount(one.First), amount(one.Last), amount(one.Highest))
	if len(points) == 1 {
		f.Note = fmt.Sprintf("it did not change; over the run it was %s at first, %s at last and %s at most",
			amount(one.First), amount(one.Last), amount(one.Highest))
	}
	if gap := book.Silent(from, min(to, j.in.Length)); gap != nil && f.Verdict == reports.Passed {
		f.skip("%q told nothing from second %d to second %d: what the figure was then is not known", c.Service, gap.From/time.Second, gap.To/time.Second)
	}
}

func amount(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// maxNear is how many names are told to who wrote one that is not there.
const maxNear = 3

// near names figures that are called like a name, by the words in it, else the first ones.
func near(name string, book *ledger.Figures) string {
	names := book.Others()
	for i := range book.Named {
		names = append(slices.Clip(names), book.Named[i].Name)
	}
	words := wordsOf(name)
	shared := func(other string) int {
		n := 0
		for _, w := range wordsOf(other) {
			if slices.Contains(words, w) {
				n++
			}
		}
		return n
	}
	like := slices.DeleteFunc(slices.Clone(names), func(other string) bool { return shared(other) == 0 })
	text := "it tells "
	if len(like) > 0 {
		slices.SortStableFunc(like, func(a, b string) int { return cmp.Compare(shared(b), shared(a)) })
		names, text = like, "near it there is "
	}
	var quoted []string
	for _, n := range names[:min(len(names), maxNear)] {
		quoted = append(quoted, strconv.Quote(n))
	}
	return text + list(quoted, len(names))
}

// wordsOf are the words of a figure's name, each once: "messages", "dropped".
func wordsOf(name string) []string {
	list := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	slices.Sort(list)
	return slices.Compact(list)
}
