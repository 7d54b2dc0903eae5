package jsonmerge

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
)

// object is a JSON object. Of members with the same name, byName has the last.
type object struct {
	members []member
	byName  map[string]member
}

// member is a member of an object. Key and value are as they were written.
type member struct {
	name  string
	key   []byte
	value json.RawMessage
}

func parseObject(text []byte) object {
	o := object{byName: make(map[string]member)}
	decoder := json.NewDecoder(bytes.NewReader(text))
	_, _ = decoder.Token()
	for decoder.More() {
		start := decoder.InputOffset()
		name, _ := decoder.Token()
		m := member{key: bytes.Trim(text[start:decoder.InputOffset()], space+",")}
		m.name, _ = name.(string)
		if decoder.Decode(&m.value) != nil {
			break // the text is not JSON
		}
		o.members = append(o.members, m)
		o.byName[m.name] = m
	}
	return o
}

func encodeObject(members []member) []byte {
	parts := make([][]byte, len(members))
	for i, m := range members {
		parts[i] = bytes.Join([][]byte{m.key, m.value}, []byte(":"))
	}
	return enclose('{', parts, '}')
}

// names are those that a program knows.
type names struct {
	exact  map[string]bool
	folded map[string]string // by what they are without regard to case
}

func namesOf(objects ...object) names {
	n := names{exact: make(map[string]bool), folded: make(map[string]string)}
	for _, o := range objects {
		for _, m := range o.members {
			n.exact[m.name] = true
			if _, taken := n.folded[fold(m.name)]; !taken {
				n.folded[fold(m.name)] = m.name
			}
		}
	}
	return n
}

// of returns the name by which the program knows a member of that name.
func (n names) of(name string) (string, bool) {
	if n.exact[name] {
		return name, true
	}
	known, ok := n.folded[fold(name)]
	return known, ok
}

// times returns how often an object has a name that the program knows, by the program's names.
func (n names) times(o object) map[string]int {
	times := make(map[string]int)
	for _, m := range o.members {
		if name, ok := n.of(m.name); ok {
			times[name]++
		}
	}
	return times
}

// fold returns the same text for all names that strings.EqualFold takes for equal.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, name)
}
