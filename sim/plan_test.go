package sim

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"
)

// full returns a value of t with every field set to something that is not zero, so that a field
// that JSON loses is noticed.
func full(t reflect.Type, n *int) reflect.Value {
	v := reflect.New(t).Elem()
	*n++
	if t == reflect.TypeFor[Secret]() { // its text stays behind
		v.Set(reflect.ValueOf(Secret{Ref: "${NAME_" + string(rune('A'+*n%26)) + "}"}))
		return v
	}
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			v.Field(i).Set(full(t.Field(i).Type, n))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(t, 2, 2))
		for i := range 2 {
			v.Index(i).Set(full(t.Elem(), n))
		}
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(full(t.Elem(), n))
	case reflect.String:
		v.SetString("text " + string(rune('a'+*n%26)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.25)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n%3) + 1)
	case reflect.Map:
		key, value := full(t.Key(), n), full(t.Elem(), n)
		v.Set(reflect.MakeMap(t))
		v.SetMapIndex(key, value)
	default:
		panic("a plan holds a " + t.String())
	}
	return v
}

func fullPlan() Plan {
	n := 0
	return full(reflect.TypeFor[Plan](), &n).Interface().(Plan)
}

func TestPlanRoundTripKeepsEveryField(t *testing.T) {
	p := fullPlan()
	b, err := json.Marshal(&p)
	if err != nil {
		t.Fatal(err)
	}
	var q Plan
	if err := json.Unmarshal(b, &q); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p, q) {
		t.Errorf("read back:\n%+v\nwant\n%+v", q, p)
	}
	if p.Hash() != q.Hash() {
		t.Error("the hash changed on the way")
	}
}

func TestPlanHash(t *testing.T) {
	p, q := fullPlan(), fullPlan()
	if h := p.Hash(); h != q.Hash() || len(h) != 64 {
		t.Errorf("hash %q, then %q", h, q.Hash())
	}
	q.Fleets[1].Model.Signals[1].Noise += 1e-9
	if p.Hash() == q.Hash() {
		t.Error("a changed plan has the same hash")
	}
	q = fullPlan()
	q.Story.URI, q.Story.Line, q.Acts[0].Origin, q.Checks[0].Origin = "elsewhere", 99, "elsewhere:1", "elsewhere:2"
	if p.Hash() != q.Hash() || q.Acts[0].Origin != "elsewhere:1" {
		t.Error("where a story lies is in its hash, or was taken out of the plan")
	}
	small := Plan{Schema: PlanSchema, Story: Story{Name: "s", URI: "u", Line: 1}, Seed: 1}
	if got := small.Hash(); got != "3ff2a9f01224ab14d46d8f1524aff2ddc4798ec1a6155fbaf6c6070942e20138" {
		t.Errorf("hash of the small plan: %s", got)
	}
	small.Guards = []Check{{Limit: math.NaN()}}
	if got := small.Hash(); got != "" {
		t.Errorf("a plan that JSON refuses has the hash %s", got)
	}
}

func TestPlanSums(t *testing.T) {
	p := Plan{Fleets: []Fleet{{Name: "a", Count: 2}, {Name: "b", Count: 3}},
		Acts: []Act{{Hold: Duration(time.Second)}, {Over: Duration(time.Hour)}, {Hold: Duration(time.Minute)}}}
	if p.Devices() != 5 || p.Duration().D() != 61*time.Second || p.FleetIndex("b") != 1 || p.FleetIndex("c") != -1 {
		t.Errorf("%d devices, %v, b is %d", p.Devices(), p.Duration(), p.FleetIndex("b"))
	}
}
