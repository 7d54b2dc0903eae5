// Package jsonmerge applies a change that was made to a decoded JSON value to the JSON that it was decoded from. What the
// change did not touch keeps its bytes, also what the decoder does not know.
package jsonmerge

import (
	"bytes"
	"encoding/json"
)

// Merge returns stored with the difference between before and after. before is what a program makes of stored, by decoding
// and encoding it, and after is the same after a change. All are valid JSON.
//
//   - Members of objects are merged one by one. A member that neither before nor after has is unknown to the program, and
//     stays. A member that only before has is removed.
//   - An object within another value is that of after if nothing of before is left in it but empty values: it is another
//     object then, and what is unknown belongs to the old one.
//   - Names of members are compared as encoding/json does: exactly, or else without regard to case. Of a name that is there
//     several times all members stay, or after has the one that takes their place.
//   - Elements of arrays stay if they are unchanged. Others are those of after.
//   - Any other value is that of after if it changed.
func Merge(stored, before, after []byte) []byte {
	merged, _ := merger{}.merge(stored, before, after)
	return merged
}

// MergeMembers is Merge, but an object that is another one keeps the unknown members of the old one. It is for a record of
// what was counted, which must forget nothing.
func MergeMembers(stored, before, after []byte) []byte {
	merged, _ := merger{keepUnknown: true}.merge(stored, before, after)
	return merged
}

// merger has the rule by which objects are merged.
type merger struct{ keepUnknown bool }

// merge also reports that nothing of before is left in after.
func (r merger) merge(stored, before, after []byte) (merged []byte, replaced bool) {
	if bytes.Equal(before, after) {
		return stored, false
	}
	if kind := kindOf(after); kindOf(stored) == kind && kindOf(before) == kind {
		switch kind {
		case '{':
			return r.mergeObjects(parseObject(stored), parseObject(before), parseObject(after))
		case '[':
			return mergeArrays(parseArray(stored), parseArray(before), parseArray(after))
		}
	}
	return after, true
}

// mergeObjects has the members of stored in their order, and those that are new behind them.
func (r merger) mergeObjects(stored, before, after object) (merged []byte, replaced bool) {
	known := namesOf(before, after)
	times := known.times(stored)
	held, left := compare(before, after)
	var members []member
	written := make(map[string]bool)
	for _, m := range stored.members {
		name, ok := known.of(m.name)
		was, now := before.byName[name], after.byName[name]
		switch {
		case !ok || was.value != nil && bytes.Equal(was.value, now.value):
			members = append(members, m)
		case now.value == nil: // removed
		case was.value != nil && times[name] == 1:
			value, stays := r.mergeMember(m.value, was.value, now.value)
			members, left = append(members, member{key: m.key, value: value}), left || stays
		case !written[name]:
			members = append(members, now)
		}
		written[name] = ok
	}
	for _, m := range after.members {
		if !written[m.name] {
			members = append(members, m)
		}
	}
	return encodeObject(members), held && !left
}

// mergeMember merges the value of a member. It also reports whether something of what it held before stays.
func (r merger) mergeMember(stored, before, after []byte) (merged []byte, stays bool) {
	merged, replaced := r.merge(stored, before, after)
	if replaced && !r.keepUnknown && kindOf(after) == '{' {
		return after, false
	}
	return merged, !replaced && !isEmpty(before)
}

// compare reports whether an object held anything before, and whether a member that did is unchanged.
func compare(before, after object) (held, left bool) {
	for _, m := range before.members {
		if !isEmpty(m.value) {
			held = true
			left = left || bytes.Equal(m.value, after.byName[m.name].value)
		}
	}
	return held, left
}

// mergeArrays keeps the elements that are unchanged, wherever they are now. Which element took the place of another is not
// known, so an element that changed keeps nothing.
func mergeArrays(stored, before, after []json.RawMessage) (merged []byte, replaced bool) {
	replaced = true
	if len(stored) != len(before) {
		return enclose('[', after, ']'), replaced
	}
	unused := make(map[string][]int) // places in before, by element
	for i, element := range before {
		unused[string(element)] = append(unused[string(element)], i)
	}
	elements := make([]json.RawMessage, len(after))
	for i, element := range after {
		elements[i] = element
		if places := unused[string(element)]; len(places) > 0 {
			elements[i], unused[string(element)] = stored[places[0]], places[1:]
			replaced = replaced && isEmpty(element)
		}
	}
	return enclose('[', elements, ']'), replaced
}
