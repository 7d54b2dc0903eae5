package jsonmerge

import "bytes"

// kindOf returns '{' for an object, '[' for an array, and anything else for another value.
func kindOf(value []byte) byte {
	value = trim(value)
	if len(value) == 0 {
		return 0
	}
	return value[0]
}

// split returns the values in an array or object, without those in them: the elements of an array, the keys and values of an
// object.
func split(composite []byte) [][]byte {
	var parts [][]byte
	start, depth := 0, 0
	for i := 0; i < len(composite); i++ {
		switch composite[i] {
		case '"':
			i = endOfString(composite, i)
		case '{', '[':
			if depth++; depth == 1 {
				start = i + 1
			}
		case '}', ']':
			if depth--; depth > 0 {
				continue
			}
			if part := trim(composite[start:i]); len(part) > 0 {
				parts = append(parts, part)
			}
		case ',', ':':
			if depth == 1 {
				parts, start = append(parts, trim(composite[start:i])), i+1
			}
		}
	}
	return parts
}

// endOfString returns the place of the quote that ends the string which begins at start.
func endOfString(text []byte, start int) int {
	for i := start + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(text)
}

// isEmpty reports whether a value, as json.Marshal returns it, has only zeros in it, false, null and empty strings.
func isEmpty(value []byte) bool {
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '"':
			start := i
			i = endOfString(value, start)
			isName := i+1 < len(value) && value[i+1] == ':'
			if !isName && i > start+1 {
				return false
			}
		case '1' <= c && c <= '9', c == 't':
			return false
		}
	}
	return true
}

func trim(value []byte) []byte { return bytes.Trim(value, " \t\r\n") }

func enclose(first byte, parts [][]byte, last byte) []byte {
	return append(append([]byte{first}, bytes.Join(parts, []byte(","))...), last)
}
