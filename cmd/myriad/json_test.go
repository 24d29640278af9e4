package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// lookUp finds the value at a dotted path ("stories.0.verdict") of a JSON document.
func lookUp(document []byte, path string) (any, error) {
	var at any
	if err := json.Unmarshal(document, &at); err != nil {
		return nil, err
	}
	for name := range strings.SplitSeq(path, ".") {
		switch v := at.(type) {
		case map[string]any:
			next, ok := v[name]
			if !ok {
				return nil, fmt.Errorf("%s: no %q", path, name)
			}
			at = next
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(v) {
				return nil, fmt.Errorf("%s: no element %q of %d", path, name, len(v))
			}
			at = v[i]
		default:
			return nil, fmt.Errorf("%s: %q of a %T", path, name, at)
		}
	}
	return at, nil
}
