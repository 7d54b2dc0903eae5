package post

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Hashtags returns the tags of a text in the order of their first appearance, each once: NFC, lower case.
//
// A tag is a `#` followed by Unicode letters, digits and `_`. The `#` must not follow such a character, nor `/`, `&` or
// another `#`: the fragment of a URL, a character reference and a heading are not tags.
func Hashtags(text string) []string {
	tags := []string{}
	before := ' '
	runes := []rune(norm.NFC.String(text))
	for i := 0; i < len(runes); i++ {
		if runes[i] != '#' || isTagRune(before) || strings.ContainsRune("/&#", before) {
			before = runes[i]
			continue
		}
		end := i + 1
		for end < len(runes) && isTagRune(runes[end]) {
			end++
		}
		if end > i+1 {
			// Each character is lower-cased by itself, which keeps the text in NFC.
			tag := strings.ToLower(string(runes[i+1 : end]))
			if !slices.Contains(tags, tag) {
				tags = append(tags, tag)
			}
		}
		before = runes[end-1]
		i = end - 1
	}
	return tags
}

func isTagRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_'
}
