package payload

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/myriad-iot/myriad/sim"
)

// maxTemplate is more than any message of a device, in bytes.
const maxTemplate = 64 << 10

// compileTemplate compiles m.Template. A placeholder is {id}, {seq}, {time} (RFC 3339 in UTC),
// {unix}, {unixms}, {stamp} or {<signal>}. What is in braces and does not look like a name, as in
// {"a":{"b":1}}, is text. A template that says nothing of {stamp} must be a JSON object; the stamp
// becomes its last member then.
func compileTemplate(m *sim.Model) ([]part, error) {
	if strings.TrimSpace(m.Template) == "" {
		return nil, errors.New(`an empty template: write the payload as text with {id}, {time}, {stamp} and {<signal>}`)
	}
	if len(m.Template) > maxTemplate {
		return nil, fmt.Errorf("a template of %d bytes: at most %d", len(m.Template), maxTemplate)
	}
	if !utf8.ValidString(m.Template) {
		return nil, errors.New("the template is not UTF-8")
	}
	parts, err := parseTemplate(m)
	if err != nil {
		return nil, err
	}
	members, isObject := objectOf(parts)
	if isObject {
		for i := range parts {
			if parts[i].value == idText {
				parts[i].value = idJSON
			}
		}
	}
	for i := range parts {
		if parts[i].value == stampText {
			return parts, nil
		}
	}
	if !isObject {
		return nil, errors.New("the template has no {stamp}, and it is not a JSON object that one can be added to: " +
			"put {stamp} into it, so that its messages can be counted")
	}
	if _, ok := members[StampName]; ok {
		return nil, fmt.Errorf("the template has no {stamp}, but it has a member %q: give it the value \"{stamp}\"", StampName)
	}
	// Only fixed bytes close the object, because no value contains a brace.
	last := parts[len(parts)-1].fixed
	end := strings.LastIndexByte(string(last), '}')
	b := builder{parts: parts[:len(parts)-1]}
	b.text(string(last[:end]))
	if len(members) > 0 {
		b.text(",")
	}
	b.text(`"` + StampName + `":"`)
	b.value(stampText)
	b.text(`"` + string(last[end:]))
	return b.done(), nil
}

func parseTemplate(m *sim.Model) ([]part, error) {
	known := map[string]part{
		"id": {value: idText}, "seq": {value: seqText}, "time": {value: timeText},
		"unix": {value: unixText}, "unixms": {value: unixmsText}, "stamp": {value: stampText},
	}
	names := reserved(sim.EncodingTemplate)
	for i := range m.Signals {
		known[m.Signals[i].Name] = number(numberText, m, i)
		names = append(names, m.Signals[i].Name)
	}
	looksLikeOne := regexp.MustCompile(`^[\pL_][\pL\pN_:./-]*$`)
	var b builder
	text := m.Template
	for at := 0; at < len(text); {
		open := strings.IndexByte(text[at:], '{')
		if open < 0 {
			b.text(text[at:])
			break
		}
		b.text(text[at : at+open])
		at += open
		name, _, closed := strings.Cut(text[at+1:], "}")
		if p, ok := known[name]; closed && ok {
			b.put(p)
			at += len(name) + 2
			continue
		}
		if closed && looksLikeOne.MatchString(name) {
			return nil, fmt.Errorf("template, %s: unknown placeholder {%s}: there are {%s}",
				position(text, at), name, strings.Join(names, "}, {"))
		}
		b.text("{")
		at++
	}
	return b.done(), nil
}

// position is where the byte at lies: "column 7", or "line 2, column 7" of a text of several lines.
func position(text string, at int) string {
	start := strings.LastIndexByte(text[:at], '\n') + 1
	column := utf8.RuneCountInString(text[start:at]) + 1
	if !strings.Contains(text, "\n") {
		return fmt.Sprintf("column %d", column)
	}
	return fmt.Sprintf("line %d, column %d", strings.Count(text[:start], "\n")+1, column)
}

// objectOf returns the members of the JSON object that the parts make, if they make one with
// positive numbers as well as with negative ones.
func objectOf(parts []part) (members map[string]json.RawMessage, ok bool) {
	for _, number := range []string{"1.5", "-1.5"} {
		var text []byte
		for i := range parts {
			text = append(text, parts[i].fixed...)
			switch parts[i].value {
			case idText:
				text = append(text, "device-0"...)
			case timeText:
				text = append(text, layout...)
			case numberText:
				text = append(text, number...)
			case stampText:
				text = sim.Stamp{}.Append(text)
			case seqText, unixText, unixmsText:
				text = append(text, "10"...)
			}
		}
		members = nil // null would be accepted below
		if json.Unmarshal(text, &members) != nil || members == nil {
			return nil, false
		}
	}
	return members, true
}
