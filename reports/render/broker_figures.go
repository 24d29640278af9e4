package render

import (
	"fmt"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// maxFigureCharts is how many figures that services tell of themselves have a chart.
const maxFigureCharts = 4

// FigureSummary is a figure that a service of the target told of itself, and that a claim of the story names.
type FigureSummary struct {
	Service string  `json:"service"`
	Name    string  `json:"name"`
	First   float64 `json:"first"`
	Last    float64 `json:"last"`
	Highest float64 `json:"highest"`
}

func figureSummaries(r *reports.Result) []FigureSummary {
	var list []FigureSummary
	for i := range r.Figures {
		for _, f := range r.Figures[i].Named {
			list = append(list, FigureSummary{r.Figures[i].Service, f.Name, f.First, f.Last, f.Highest})
		}
	}
	return list
}

// figureLines say what services told of themselves.
func figureLines(r *reports.Result) []string {
	var list []string
	for _, f := range figureSummaries(r) {
		list = append(list, fmt.Sprintf("%s · %s · %s at first, %s at last, at most %s", f.Service, f.Name,
			number(f.First, 6), number(f.Last, 6), number(f.Highest, 6)))
	}
	return list
}

// told are the charts of figures that services told of themselves: the first ones.
func (t *timeline) told(r *reports.Result) []chart {
	var list []chart
	for i := range r.Figures {
		for n := range r.Figures[i].Named {
			if len(list) < maxFigureCharts {
				list = append(list, t.figureChart(r.Figures[i].Service, &r.Figures[i].Named[n]))
			}
		}
	}
	return list
}

func (t *timeline) figureChart(service string, f *ledger.Figure) chart {
	title := plain(f.Name)
	c := chart{Title: title, Note: "as " + plain(service) + " told it of itself", Legend: []legend{{"s-drops2", title}}}
	return t.lined(c, [][]point{held(figurePoints(f), t.end)}, tickCount)
}

func figurePoints(f *ledger.Figure) (list []point) {
	for _, p := range f.Points {
		list = append(list, point{p.At.Seconds(), p.Value})
	}
	return list
}
