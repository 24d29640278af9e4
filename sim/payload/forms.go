package payload

import (
	"encoding/json"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/myriad-iot/myriad/sim"
)

// builder collects parts: text and bytes wait for the next value.
type builder struct {
	fixed []byte
	parts []part
}

func (b *builder) text(s string) { b.fixed = append(b.fixed, s...) }

func (b *builder) put(p part) {
	p.fixed, b.fixed = b.fixed, nil
	b.parts = append(b.parts, p)
}

func (b *builder) value(v value) { b.put(part{value: v}) }

func (b *builder) done() []part {
	if len(b.fixed) > 0 {
		b.value(nothing)
	}
	return b.parts
}

// cbor adds items that never change.
func (b *builder) cbor(items ...any) error {
	for _, item := range items {
		data, err := cbor.Marshal(item)
		if err != nil {
			return fmt.Errorf("cbor %v: %w", item, err)
		}
		b.fixed = append(b.fixed, data...)
	}
	return nil
}

// stamp adds the stamp as a CBOR text string.
func (b *builder) stamp() {
	b.fixed = appendHead(b.fixed, textString, sim.StampSize)
	b.value(stampText)
}

// quoted is s as a JSON string.
func quoted(s string) (string, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("json %q: %w", s, err)
	}
	return string(data), nil
}

// compileJSON makes one object: id, time, seq, each signal by its name, and the stamp.
func compileJSON(m *sim.Model) ([]part, error) {
	var b builder
	b.text(`{"id":"`)
	b.value(idJSON)
	b.text(`","time":"`)
	b.value(timeText)
	b.text(`","seq":`)
	b.value(seqText)
	for i := range m.Signals {
		name, err := quoted(m.Signals[i].Name)
		if err != nil {
			return nil, err
		}
		b.text("," + name + ":")
		b.put(number(numberText, m, i))
	}
	b.text(`,"` + StampName + `":"`)
	b.value(stampText)
	b.text(`"}`)
	return b.done(), nil
}

// compileCBOR makes the map of compileJSON. The time is text there too, and numbers are 64-bit floats.
func compileCBOR(m *sim.Model) ([]part, error) {
	var b builder
	members := len(m.Signals) + 4
	if m.Size > 0 {
		members++
	}
	b.fixed = appendHead(b.fixed, mapping, uint64(members))
	for _, member := range []struct {
		name string
		v    value
	}{{"id", idCBOR}, {"time", timeCBOR}, {"seq", seqCBOR}} {
		if err := b.cbor(member.name); err != nil {
			return nil, err
		}
		b.value(member.v)
	}
	for i := range m.Signals {
		if err := b.cbor(m.Signals[i].Name); err != nil {
			return nil, err
		}
		b.put(number(numberCBOR, m, i))
	}
	if err := b.cbor(StampName); err != nil {
		return nil, err
	}
	b.stamp()
	if m.Size > 0 {
		if err := b.fillCBOR(); err != nil {
			return nil, err
		}
	}
	return b.done(), nil
}

// compileSenMLJSON makes a SenML pack, RFC 8428 section 5: the base name "<id>:" and the base time
// in its first record, a record per signal, and the stamp as a record with a string value.
func compileSenMLJSON(m *sim.Model) ([]part, error) {
	var b builder
	b.text(`[{"bn":"`)
	b.value(idSenML)
	b.text(`:","bt":`)
	b.value(secondsText)
	b.text(",")
	for i := range m.Signals {
		s := &m.Signals[i]
		name, err := quoted(s.Name)
		if err != nil {
			return nil, err
		}
		b.text(`"n":` + name)
		if s.Unit != "" {
			unit, err := quoted(s.Unit)
			if err != nil {
				return nil, err
			}
			b.text(`,"u":` + unit)
		}
		b.text(`,"v":`)
		b.put(number(numberText, m, i))
		b.text("},{")
	}
	b.text(`"n":"` + StampName + `","vs":"`)
	b.value(stampText)
	b.text(`"}]`)
	return b.done(), nil
}

// Labels of SenML in CBOR, RFC 8428 section 6.
const (
	labelBaseName = -2
	labelBaseTime = -3
	labelName     = 0
	labelUnit     = 1
	labelValue    = 2
	labelString   = 3
)

// compileSenMLCBOR makes the pack of compileSenMLJSON with integer labels, RFC 8428 section 6.
func compileSenMLCBOR(m *sim.Model) ([]part, error) {
	var b builder
	records := len(m.Signals) + 1
	if m.Size > 0 {
		records++
	}
	b.fixed = appendHead(b.fixed, array, uint64(records))
	head := func(i, members int) error { // opens record i, with the base fields if it is the first
		if i > 0 {
			b.fixed = appendHead(b.fixed, mapping, uint64(members))
			return nil
		}
		b.fixed = appendHead(b.fixed, mapping, uint64(members+2))
		if err := b.cbor(labelBaseName); err != nil {
			return err
		}
		b.value(nameCBOR)
		if err := b.cbor(labelBaseTime); err != nil {
			return err
		}
		b.value(secondsCBOR)
		return nil
	}
	for i := range m.Signals {
		s := &m.Signals[i]
		members, unit := 2, []any{}
		if s.Unit != "" {
			members, unit = 3, []any{labelUnit, s.Unit}
		}
		if err := head(i, members); err != nil {
			return nil, err
		}
		items := append([]any{labelName, s.Name}, unit...)
		if err := b.cbor(append(items, labelValue)...); err != nil {
			return nil, err
		}
		b.put(number(numberCBOR, m, i))
	}
	if err := head(len(m.Signals), 2); err != nil {
		return nil, err
	}
	if err := b.cbor(labelName, StampName, labelString); err != nil {
		return nil, err
	}
	b.stamp()
	if m.Size > 0 {
		if err := b.fillSenML(); err != nil {
			return nil, err
		}
	}
	return b.done(), nil
}
