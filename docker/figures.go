package docker

// Figures is how a service tells figures of itself.
type Figures struct {
	Form FiguresForm // FiguresNone: it tells none
	Path string      // of the page, as "/metrics"; only of forms that are fetched

	Connections string // the figure that is how many connections it holds; "" is none
}

// FiguresForm is what the figures of a service are written in.
type FiguresForm string

// The forms. The first two are pages that are fetched over HTTP, from a port of their own: [Setup.Figures].
const (
	FiguresNone       FiguresForm = ""
	FiguresPrometheus FiguresForm = "prometheus" // Prometheus' text format
	FiguresJSON       FiguresForm = "json"       // an object, in which figures may be nested
	FiguresTopics     FiguresForm = "topics"     // retained messages of an MQTT broker under $SYS/broker/, named by what follows
)

// Fetched reports whether the figures are fetched over HTTP, for which the service needs one more port.
func (f Figures) Fetched() bool { return f.Form == FiguresPrometheus || f.Form == FiguresJSON }
