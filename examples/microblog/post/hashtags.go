package post

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Hashtag is a place in a text that names a tag. Start and End count UTF-16 code units, as JavaScript does; the sign is
// included.
type Hashtag struct {
	Tag   string `json:"tag"`
	Start int    `json:"start"`
	End   int    `json:"end"`
}

// Hashtags returns the hashtags of a text in their order.
//
// A hashtag is a sign, `#` or `＃`, followed by letters, marks, digits and `_`, among them a letter. It may have single joints
// inside, such as the middle dot of `#il·lusió`. The sign must not follow such a character, `&`, `/` or another sign: `a#b`, an
// entity, a path and a heading are no hashtags. After the slash of another hashtag it may: `#a/#b` are two. The address of
// a page is skipped as a whole. The README has the reasons.
func Hashtags(text string) []Hashtag {
	hashtags := []Hashtag{}
	if !strings.ContainsAny(text, signs) {
		return hashtags
	}
	var (
		links   = addresses(text)
		before  = ' '
		tagEnds = -1 // where the last hashtag ended
		place   units
	)
	for i := 0; i < len(text); {
		for len(links) > 0 && links[0][0] < i {
			links = links[1:]
		}
		if len(links) > 0 && links[0][0] == i && links[0][1] > i {
			i, before = links[0][1], 'x' // an address ends like a word
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		name := ""
		if strings.ContainsRune(signs, r) && !inTag(before) && !strings.ContainsRune("&"+signs, before) &&
			(before != '/' || tagEnds == i-1) {
			name = nameAt(text[i+size:])
		}
		end := i + size + len(name)
		if name != "" {
			hashtags = append(hashtags, Hashtag{Tag: fold(name), Start: place.at(text, i), End: place.at(text, end)})
			tagEnds = end
		}
		before, _ = utf8.DecodeLastRuneInString(text[i:end])
		i = end
	}
	return hashtags
}

// Tags returns the tags of a text in the order of their first appearance, each once.
func Tags(text string) []string {
	tags := []string{}
	for _, hashtag := range Hashtags(norm.NFC.String(text)) {
		if !slices.Contains(tags, hashtag.Tag) {
			tags = append(tags, hashtag.Tag)
		}
	}
	return tags
}

// FeedName returns the name of the feed that a hashtag leads to, in whatever case and form it is written. Any other name is
// returned as it is.
func FeedName(name string) string {
	tag := norm.NFC.String(strings.TrimLeft(name, signs))
	if tag != "" && nameAt(tag) == tag {
		return fold(tag)
	}
	return name
}

const (
	signs = "#＃"
	// written are signs and punctuation that are parts of words: geresh and gershayim, and the ditto mark.
	written = "_\u05f3\u05f4\u3003"
	// joints are within words: the zero-width joiners, middle dots, waves, maqaf and tsheg.
	joints = "\u200c\u200d·・〜～\u05be\u0f0b\u0f0c"
)

// inTag reports whether a character can be anywhere in a tag but at its beginning. What only chooses how an emoji looks is not
// a part of a word.
func inTag(r rune) bool {
	return unicode.IsLetter(r) || unicode.In(r, unicode.Nd, unicode.Mn, unicode.Mc) && !unicode.Is(unicode.Variation_Selector, r) ||
		strings.ContainsRune(written, r)
}

// nameAt returns the name with which a text begins, or "" if it begins with none.
func nameAt(text string) string {
	end, hasLetter, joined := 0, false, false
	for i, r := range text {
		switch {
		case inTag(r) && (i > 0 || !unicode.IsMark(r)):
			end, joined = i+utf8.RuneLen(r), false
			hasLetter = hasLetter || unicode.IsLetter(r)
			continue
		case strings.ContainsRune(joints, r) && i > 0 && !joined:
			joined = true
			continue
		}
		break
	}
	if !hasLetter || strings.HasPrefix(text[end:], "://") {
		return ""
	}
	return text[:end]
}

// fold returns the tag of a name: in lower case, with one form of the Greek sigma, and composed.
func fold(name string) string {
	return norm.NFC.String(strings.ReplaceAll(strings.Map(unicode.ToLower, name), "ς", "σ"))
}

// address matches the addresses of pages: with a scheme, from www, and a host with a path.
var address = regexp.MustCompile(`(?i)(?:[a-z][a-z0-9+.-]*://|\bwww\.|(?:[\p{L}\p{N}][\p{L}\p{M}\p{N}_-]*\.)+\p{L}{2,}(?::\d+)?/)` +
	`[^\p{Z}\p{Cc}<>"、。！（），：；？\x{3008}-\x{3011}\x{3014}-\x{301b}]*`)

// addresses returns where the addresses of a text begin and end. One in parentheses ends before the closing one.
func addresses(text string) [][]int {
	if !strings.Contains(text, "/") && !strings.Contains(strings.ToLower(text), "www.") {
		return nil
	}
	found := address.FindAllStringIndex(text, -1)
	for _, place := range found {
		open := 0
		for i, r := range text[place[0]:place[1]] {
			switch r {
			case '(':
				open++
			case ')':
				open--
			}
			if open < 0 {
				place[1] = place[0] + i
				break
			}
		}
	}
	return found
}

// units counts UTF-16 code units from one place of a text to the next.
type units struct{ bytes, count int }

func (u *units) at(text string, i int) int {
	for _, r := range text[u.bytes:i] {
		u.count += utf16.RuneLen(r)
	}
	u.bytes = i
	return u.count
}
