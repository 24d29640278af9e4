package render

import (
	"fmt"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// maxUsageLines is how many services have a line of their own in a chart.
const maxUsageLines = 3

// UsageSummary is what a service of the target used of this machine.
type UsageSummary struct {
	Service    string  `json:"service"`
	CPUMean    float64 `json:"cpu_mean"`
	CPUPeak    float64 `json:"cpu_peak"`
	MemoryPeak int64   `json:"memory_peak"`
}

// usageOf sums up what services used, of those of which enough is known.
func usageOf(r *reports.Result) []UsageSummary {
	var list []UsageSummary
	for i := range r.Usage {
		u := &r.Usage[i]
		peak, _, mean, known := u.CPU(0, r.Length, reports.UsageStretch)
		memory, _, _ := u.MostMemory(0, r.Length)
		if known {
			list = append(list, UsageSummary{u.Service, mean, peak, memory})
		}
	}
	return list
}

// usageLines say what services used.
func usageLines(r *reports.Result) []string {
	var list []string
	for _, u := range usageOf(r) {
		list = append(list, fmt.Sprintf("%s · CPU %s of a processor, %s in its busiest 5 s · memory at most %s",
			u.Service, percent(100*u.CPUMean, 2), percent(100*u.CPUPeak, 2), Bytes(u.MemoryPeak)))
	}
	return list
}

// Bytes formats a size: "12.3 MB".
func Bytes(n int64) string {
	switch v := float64(n); {
	case v >= 1e9:
		return number(v/1e9, 3) + " GB"
	case v >= 1e6:
		return number(v/1e6, 3) + " MB"
	case v >= 1e3:
		return number(v/1e3, 3) + " kB"
	}
	return number(float64(n), 3) + " B"
}

// usage are the charts of what services used. They are none where nobody tells.
func (t *timeline) usage(r *reports.Result) []chart {
	list := r.Usage[:min(len(r.Usage), maxUsageLines)]
	if len(usageOf(r)) == 0 {
		return nil
	}
	return []chart{
		t.usageChart(list, "CPU of the target", "share of one processor, by the second", cpuLine, func(v float64) string { return percent(v, 3) }),
		t.usageChart(list, "Memory of the target", "what its services hold", memoryLine, func(v float64) string { return Bytes(int64(v)) }),
	}
}

func (t *timeline) usageChart(list []ledger.Usage, title, note string, line func(*ledger.Usage) []point, tick func(float64) string) chart {
	c := chart{Title: title, Note: note}
	var lines [][]point
	for i := range list {
		lines = append(lines, line(&list[i]))
		c.Legend = append(c.Legend, legend{fmt.Sprintf("s-drops%d", i), plain(list[i].Service)})
	}
	return t.lined(c, lines, tick)
}

func cpuLine(u *ledger.Usage) (list []point) {
	for i := 1; i < len(u.Points); i++ {
		a, b := &u.Points[i-1], &u.Points[i]
		if b.At > 0 && b.At > a.At {
			list = append(list, point{b.At.Seconds(), 100 * float64(b.CPU-a.CPU) / float64(b.At-a.At)})
		}
	}
	return list
}

func memoryLine(u *ledger.Usage) (list []point) {
	for _, p := range u.Points {
		if p.At > 0 {
			list = append(list, point{p.At.Seconds(), float64(p.Memory)})
		}
	}
	return list
}
