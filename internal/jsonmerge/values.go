package jsonmerge

import (
	"bytes"
	"encoding/json"
	"slices"
)

const space = " \t\r\n"

// kindOf returns '{' for an object, '[' for an array, and anything else for another value.
func kindOf(value []byte) byte {
	value = bytes.TrimLeft(value, space)
	if len(value) == 0 {
		return 0
	}
	return value[0]
}

// parseArray returns the elements of an array.
func parseArray(text []byte) (elements []json.RawMessage) {
	_ = json.Unmarshal(text, &elements) // all values are valid
	return elements
}

func enclose[V ~[]byte](first byte, values []V, last byte) []byte {
	text := []byte{first}
	for i, value := range values {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, value...)
	}
	return append(text, last)
}

// isEmpty reports whether a value has only zeros in it, false, null and empty strings.
func isEmpty(value []byte) bool {
	var decoded any
	return json.Unmarshal(value, &decoded) == nil && allEmpty(decoded)
}

func allEmpty(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			if !allEmpty(member) {
				return false
			}
		}
		return true
	case []any:
		return !slices.ContainsFunc(v, func(element any) bool { return !allEmpty(element) })
	default:
		return v == nil || v == false || v == "" || v == 0.
	}
}
