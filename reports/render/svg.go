package render

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// point is a moment in seconds and a value; NaN is a gap.
type point struct{ x, y float64 }

// The drawing, in SVG user units. Classes are styled in page.css; no attribute carries a style, so
// that the page's policy can forbid inline ones.
const (
	plotWidth, plotHeight                     = 620.0, 220.0
	plotLeft, plotRight, plotTop, plotBottom  = 62.0, 14.0, 22.0, 24.0
	glyph                                     = 5.8 // width of a character of the charts' 11 px font
	bucketsAcross                             = 260 // down-sampled series keep up to three points for each
	labelRow, markRadius, markRoom, bandLabel = 12.0, 7.0, 15.0, 4.0
)

type plot struct {
	b    strings.Builder
	x, y axis
}

func newPlot(label string, end float64, y axis) *plot {
	p := &plot{x: axis{max: math.Max(end, 1), from: plotLeft, to: plotWidth - plotRight}, y: y}
	fmt.Fprintf(&p.b, `<svg class="chart" viewBox="0 0 %g %g" role="img" aria-label="%s">`+"\n",
		plotWidth, plotHeight, escape(label))
	return p
}

// yRange is where values are drawn: from the bottom of the plot to below the first row of names.
func yRange() (from, to float64) { return plotHeight - plotBottom, plotTop + labelRow + 5 }

func (p *plot) done() string {
	p.b.WriteString("</svg>\n")
	return p.b.String()
}

// axes draws the grid and its labels.
func (p *plot) axes(label func(float64) string) {
	for _, v := range p.y.ticks() {
		y := p.y.at(v)
		fmt.Fprintf(&p.b, `<path class="grid" d="M%s %sH%s"/>`, num(plotLeft), num(y), num(plotWidth-plotRight))
		p.text("tick end", plotLeft-5, y+4, label(v))
	}
	for _, t := range timeTicks(p.x.max) {
		x := p.x.at(t)
		fmt.Fprintf(&p.b, `<path class="grid" d="M%s %sv4"/>`, num(x), num(plotHeight-plotBottom))
		class := "tick mid"
		if x > plotWidth-2*plotRight {
			class, x = "tick end", plotWidth
		}
		p.text(class, x, plotHeight-plotBottom+16, tickTime(t))
	}
	p.b.WriteByte('\n')
}

// bands shades the stretches of the timeline, each with its name where there is room for it.
func (p *plot) bands(list []band) {
	ends := make([]float64, 3) // where the last label of each row ends
	for i, s := range list {
		x0, x1 := p.x.at(s.from), p.x.at(s.to)
		fmt.Fprintf(&p.b, `<g><title>%s</title><rect class="band b%d" x="%s" y="%s" width="%s" height="%s"/>`,
			escape(s.title()),
			s.shade(i), num(x0), num(plotTop), num(math.Max(x1-x0, 0.5)), num(plotHeight-plotTop-plotBottom))
		room := x1 // a name may extend into the gap after its band
		if i+1 < len(list) {
			room = math.Max(x1, p.x.at(list[i+1].from))
		}
		name := cut(plain(s.name), int((room-x0-2*bandLabel)/glyph))
		for row := range ends {
			if ends[row] > x0 || utf8.RuneCountInString(name) < min(3, utf8.RuneCountInString(s.name)) {
				continue
			}
			p.text("name", x0+bandLabel, plotTop+labelRow*float64(row+1), name)
			ends[row] = x0 + bandLabel + glyph*float64(utf8.RuneCountInString(name))
			break
		}
		p.b.WriteString("</g>\n")
	}
}

// band is a named stretch of the timeline, in seconds.
type band struct {
	name     string
	from, to float64
	warm     bool // the warm-up, which no figure includes
}

func (s band) title() string {
	return fmt.Sprintf("%s, %s to %s", plain(s.name), tickTime(s.from), tickTime(s.to))
}

func (s band) shade(i int) int {
	if s.warm {
		return 2
	}
	return i % 2
}

// moment is something that happened once, numbered as in the table below the charts.
type moment struct {
	at     float64
	number int
	class  string
	title  string
}

// marks draws a vertical line per moment and its number above it; numbers that would overlap are
// drawn as one range.
func (p *plot) marks(list []moment) {
	for i := 0; i < len(list); {
		x := p.x.at(list[i].at)
		j := i + 1
		for j < len(list) && p.x.at(list[j].at)-p.x.at(list[j-1].at) < markRoom {
			j++
		}
		text := strconv.Itoa(list[i].number)
		if j > i+1 {
			text += "–" + strconv.Itoa(list[j-1].number)
		}
		wide := math.Max(2*markRadius, glyph*float64(utf8.RuneCountInString(text))+6)
		mid := (x + p.x.at(list[j-1].at)) / 2
		for _, m := range list[i:j] {
			fmt.Fprintf(&p.b, `<path class="mark %s" d="M%s %sV%s"><title>%s</title></path>`, m.class,
				num(p.x.at(m.at)),
				num(plotTop), num(plotHeight-plotBottom), escape(m.title))
		}
		left := math.Min(math.Max(mid-wide/2, plotLeft-wide/2), plotWidth-wide)
		fmt.Fprintf(&p.b, `<rect class="flag %s" x="%s" y="%s" width="%s" height="%s" rx="%g"/>`, list[i].class,
			num(left),
			num(plotTop-4-2*markRadius), num(wide), num(2*markRadius), markRadius)
		p.text("flagtext mid", left+wide/2, plotTop-7, text)
		p.b.WriteByte('\n')
		i = j
	}
}

// limits draws a dashed line at each claim's limit. A name that would cover another one stands to
// the left of it.
func (p *plot) limits(list []limit) {
	type box struct{ y, left, right float64 }
	var taken []box
	for _, l := range list {
		y := p.y.at(l.limit)
		fmt.Fprintf(&p.b, `<path class="limit" d="M%s %sH%s"><title>%s</title></path>`, num(plotLeft), num(y),
			num(plotWidth-plotRight), escape(l.name))
		wide := glyph * float64(utf8.RuneCountInString(l.name))
		b := box{y: y, right: plotWidth - plotRight - 4}
		b.left = b.right - wide
		for _, other := range taken {
			if math.Abs(other.y-y) < labelRow && other.left < b.right && b.left < other.right {
				b.right = other.left - 2*bandLabel
				b.left = b.right - wide
			}
		}
		taken = append(taken, b)
	}
	for i, b := range taken { // over the other limits' lines
		p.text("limittext end", b.right, b.y-4, list[i].name)
	}
	p.b.WriteByte('\n')
}

// line draws the points joined, broken at gaps; a point that stands alone is a dot.
func (p *plot) line(class string, points []point) {
	var path strings.Builder
	points = downsample(points, p.x.max, bucketsAcross)
	joined := 0
	for i, pt := range points {
		if math.IsNaN(pt.y) {
			joined = 0
			continue
		}
		alone := joined == 0 && (i+1 == len(points) || math.IsNaN(points[i+1].y))
		x, y := num(p.x.at(pt.x)), num(p.y.at(pt.y))
		switch {
		case alone:
			fmt.Fprintf(&p.b, `<circle class="dot %s" cx="%s" cy="%s" r="2.2"/>`, class, x, y)
		case joined == 0:
			path.WriteString("M" + x + " " + y)
		default:
			path.WriteString("L" + x + " " + y)
		}
		joined++
	}
	if path.Len() > 0 {
		fmt.Fprintf(&p.b, `<path class="line %s" d="%s"/>`, class, path.String())
	}
	p.b.WriteByte('\n')
}

// step draws each value as held for a second from its point on.
func (p *plot) step(class string, points []point) {
	var path strings.Builder
	points = downsample(points, p.x.max, bucketsAcross)
	joined := false
	for i, pt := range points {
		if math.IsNaN(pt.y) {
			joined = false
			continue
		}
		end := pt.x + 1
		if i+1 < len(points) && !math.IsNaN(points[i+1].y) {
			end = points[i+1].x
		}
		move := "V"
		if !joined {
			move = "M" + num(p.x.at(pt.x)) + " "
		}
		path.WriteString(move + num(p.y.at(pt.y)) + "H" + num(p.x.at(end)))
		joined = true
	}
	if path.Len() > 0 {
		fmt.Fprintf(&p.b, `<path class="line %s" d="%s"/>`, class, path.String())
	}
	p.b.WriteByte('\n')
}

func (p *plot) text(class string, x, y float64, s string) {
	fmt.Fprintf(&p.b, `<text class="%s" x="%s" y="%s">%s</text>`, class, num(x), num(y), escape(s))
}

// downsample keeps the smallest and the largest point of each of n stretches of [0, end), in their
// order, and the first gap, so that no extreme value and no gap disappears.
func downsample(points []point, end float64, n int) []point {
	if len(points) <= 2*n {
		return points
	}
	var kept []point
	for i := 0; i < len(points); {
		bucket := int(points[i].x / end * float64(n))
		low, high, hole := -1, -1, -1
		for ; i < len(points) && int(points[i].x/end*float64(n)) == bucket; i++ {
			switch y := points[i].y; {
			case math.IsNaN(y):
				if hole < 0 {
					hole = i
				}
				continue
			case low < 0:
				low, high = i, i
			case y < points[low].y:
				low = i
			case y > points[high].y:
				high = i
			}
		}
		// In order of time, each once.
		for last := -1; ; {
			next := -1
			for _, k := range [...]int{low, high, hole} {
				if k > last && (next < 0 || k < next) {
					next = k
				}
			}
			if next < 0 {
				break
			}
			kept = append(kept, points[next])
			last = next
		}
	}
	return kept
}

// num is a coordinate with at most two decimals.
func num(v float64) string {
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}

func escape(s string) string { return html.EscapeString(plain(s)) }
