package judge

import (
	"fmt"
	"math"
	"strconv"
)

// spreadNodes judges how evenly connections were spread over the nodes of a cluster, by what the nodes told of themselves at
// the last moment when they held as many as ever. They count Myriad's own connections too, which are some few.
func (j *judge) spreadNodes(f *finding) {
	h := j.in.Held
	if h == nil || h.Each == nil {
		f.skip("there was no moment at which each node told how many connections it held")
		return
	}
	sum := 0
	for _, n := range h.Each {
		sum += n
	}
	if sum == 0 {
		f.skip("no node held a connection")
		return
	}
	even, worst := float64(sum)/float64(len(h.Each)), -1.0
	for i, n := range h.Each {
		if off := uneven(n, even); off > worst {
			worst = off
			f.Note = fmt.Sprintf("%s told that it held %d of %d connections in second %d, Myriad's own among them; an even part is %s",
				h.Nodes[i], n, sum, int64(h.At.Seconds()), strconv.FormatFloat(math.Round(1000*even)/1000, 'f', -1, 64))
		}
	}
	f.claim(100*worst, f.Check.Bound, 100*f.Check.Limit, int64(sum), "%")
}
