package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// readPrometheus tells each name of a page in Prometheus' text format once: the sum over its labels. Buckets and
// quantiles, whose sum means nothing, are left out, and so is what is not a finite number.
func readPrometheus(page []byte, told func(name string, value float64)) error {
	sums := make(map[string]float64)
	lines := expfmt.SampleDecoder{Dec: expfmt.NewDecoder(bytes.NewReader(page), expfmt.NewFormat(expfmt.TypeTextPlain)), Opts: &expfmt.DecodeOptions{}}
	for {
		var samples model.Vector
		err := lines.Decode(&samples)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("not Prometheus' text format: %w", err)
		}
		for _, s := range samples {
			_, bucket := s.Metric[model.BucketLabel]
			_, quantile := s.Metric[model.QuantileLabel]
			if v := float64(s.Value); !bucket && !quantile && finite(v) {
				sums[string(s.Metric[model.MetricNameLabel])] += v
			}
		}
	}
	tellAll(sums, told)
	return nil
}

// readJSON tells each number of an object: those of objects in it by the names on the way there, with full stops
// between them. Lists are left out, because their entries have no names.
func readJSON(page []byte, told func(name string, value float64)) error {
	var object map[string]any
	lines := json.NewDecoder(bytes.NewReader(page))
	lines.UseNumber()
	if err := lines.Decode(&object); err != nil {
		return fmt.Errorf("not an object of JSON: %w", err)
	}
	all := make(map[string]float64)
	flatten(object, "", all)
	tellAll(all, told)
	return nil
}

func flatten(object map[string]any, prefix string, into map[string]float64) {
	for name, value := range object {
		switch v := value.(type) {
		case map[string]any:
			flatten(v, prefix+name+".", into)
		case json.Number:
			if n, err := strconv.ParseFloat(v.String(), 64); err == nil {
				into[prefix+name] = n
			}
		}
	}
}

// tellAll tells finite figures in the order of their names.
func tellAll(all map[string]float64, told func(string, float64)) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if v := all[name]; name != "" && finite(v) {
			told(name, v)
		}
	}
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
