package reports

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// ShortestSecret is the length in bytes from which a secret is looked for in texts. A shorter one stands in every
// other word.
const ShortestSecret = 4

// Concealer replaces secrets by [sim.Concealed]. It is nil when none of them is long enough to be looked for.
func Concealer(secrets []string) *strings.Replacer {
	var pairs []string
	list := slices.Clone(secrets)
	slices.SortFunc(list, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // one may be a part of another
	for _, s := range list {
		if len(s) >= ShortestSecret {
			pairs = append(pairs, s, sim.Concealed)
		}
	}
	if pairs == nil {
		return nil
	}
	return strings.NewReplacer(pairs...)
}

// Redact replaces secrets in all texts that v, a pointer, leads to: of a run before it is written, or of a plan
// before it is shown. What v is made of must not be in use elsewhere.
func Redact(v any, secrets []string) {
	if c := Concealer(secrets); c != nil {
		redact(reflect.ValueOf(v), c)
	}
}

func redact(v reflect.Value, c *strings.Replacer) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			redact(v.Elem(), c)
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(c.Replace(v.String()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			redact(v.Field(i), c)
		}
	case reflect.Slice, reflect.Array:
		if texts(v.Type().Elem()) {
			for i := range v.Len() {
				redact(v.Index(i), c)
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if !v.CanSet() {
				return // of a struct's own business
			}
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			k.Set(key)
			e.Set(v.MapIndex(key))
			redact(k, c)
			redact(e, c)
			v.SetMapIndex(key, reflect.Value{})
			v.SetMapIndex(k, e)
		}
	default: // holds no text
	}
}

// texts reports whether values of type t may hold texts: long lists of numbers need not be looked at.
func texts(t reflect.Type) bool {
	return t.Kind() >= reflect.Array && t.Kind() != reflect.UnsafePointer
}
