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
	links, tagEnds := addresses(text), -1 // where the last hashtag ended
	var place units
	for _, found := range hashtag.FindAllStringSubmatchIndex(text, -1) {
		start, end, name := found[0], found[1], text[found[2]:found[3]]
		before, _ := utf8.DecodeLastRuneInString(text[:start])
		if !strings.ContainsFunc(name, unicode.IsLetter) || strings.HasPrefix(text[end:], "://") ||
			noneBehind.MatchString(string(before)) || before == '/' && tagEnds != start-1 ||
			slices.ContainsFunc(links, func(link []int) bool { return link[0] <= start && start < link[1] }) {
			continue
		}
		hashtags = append(hashtags, Hashtag{Tag: fold(name), Start: place.at(text, start), End: place.at(text, end)})
		tagEnds = end
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
	if isName.MatchString(tag) && strings.ContainsFunc(tag, unicode.IsLetter) {
		return fold(tag)
	}
	return name
}

const (
	signs = "#＃"
	// first are letters and digits, and signs and punctuation that are parts of words: geresh and gershayim, and the ditto mark.
	first = `[\p{L}\p{Nd}_\x{5f3}\x{5f4}\x{3003}]`
	// mark is a mark that neither encloses nor only chooses how an emoji looks, which is not a part of a word.
	mark = `[^\P{M}\p{Me}\x{180b}-\x{180d}\x{180f}\x{fe00}-\x{fe0f}\x{e0100}-\x{e01ef}]`
	// joint is within words: a zero-width joiner or non-joiner, middle dot, wave, maqaf or tsheg.
	joint = `[\x{200c}\x{200d}·・〜～\x{5be}\x{f0b}\x{f0c}]`
	inTag = `(?:` + first + `|` + mark + `)`
	name  = first + inTag + `*(?:` + joint + inTag + `+)*`
)

var (
	hashtag    = regexp.MustCompile(`[` + signs + `](` + name + `)`)
	isName     = regexp.MustCompile(`^` + name + `$`)
	noneBehind = regexp.MustCompile(`^(?:` + inTag + `|[&` + signs + `])$`)
)

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
