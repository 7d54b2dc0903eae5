package post_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

func TestHashtags(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		tags []string
	}{
		"nothing":                {"", []string{}},
		"no tag":                 {"just words", []string{}},
		"one":                    {"#go", []string{"go"}},
		"in a sentence":          {"I like #go, and (#sse)!", []string{"go", "sse"}},
		"in their order":         {"#b #a #c", []string{"b", "a", "c"}},
		"each once":              {"#go #sse #go", []string{"go", "sse"}},
		"lower case":             {"#Go #GO #gO", []string{"go"}},
		"digits and underscores": {"#2024 #snake_case #_x", []string{"2024", "snake_case", "_x"}},
		"ends at punctuation":    {"#go-lang #c++ #it's", []string{"go", "c", "it"}},
		"over lines":             {"#one\n#two\r\n#three\t#four", []string{"one", "two", "three", "four"}},
		"umlauts":                {"#Zürich", []string{"zürich"}},
		"other scripts":          {"#日本語 #Привет #שלום #٣", []string{"日本語", "привет", "שלום", "٣"}},
		"beyond the first plane": {"#𐐀 #𝒳", []string{"𐐨", "𝒳"}},
		"NFC":                    {"#zu\u0308rich #z\u00fcrich", []string{"z\u00fcrich"}},
		"dotted capital I":       {"#İstanbul", []string{"istanbul"}},
		"no special final sigma": {"#ΟΔΟΣ", []string{"οδοσ"}},
		"a mark ends a tag":      {"#हिन्दी", []string{"ह"}},
		"an emoji is no tag":     {"#👍 #go👍", []string{"go"}},
		"a sign alone":           {"# #- #", []string{}},
		"within a word":          {"a#b ä#b 1#b _#b 日#b", []string{}},
		"behind a tag":           {"#a#b", []string{"a"}},
		"heading":                {"##x ###x", []string{}},
		"fragment of a URL":      {"http://x/#frag http://x/a#frag", []string{}},
		"character reference":    {"&#39; &#x27;", []string{}},
		"behind a bracket":       {"(#a) [#b] \"#c\" -#d", []string{"a", "b", "c", "d"}},
		"invalid UTF-8":          {"#go\xff #\xffgo", []string{"go"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.tags, post.Hashtags(test.text))
		})
	}
}

// TestHashtagsOfEveryRune checks for all of Unicode that the tag of a tag is the tag itself, as links rely on.
func TestHashtagsOfEveryRune(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			tags := post.Hashtags("#" + string(r))
			require.Len(t, tags, 1, "%+q", r)
			checkTags(t, tags)
		}
	}
}

func FuzzHashtags(f *testing.F) {
	for _, seed := range []string{
		"", "#go", "#Go #GO", "a#b", "http://x/#frag", "##x", "&#39;", "#İ #ı #ẞ", "#zu\u0308", "#ΟΔΟΣ", "#हिन्दी", "#\xff",
		"#\u212bngstr\u00f6m", "#" + strings.Repeat("x", 300), strings.Repeat("#x ", 100), "#e\u0301#e", "#\u1100\u1161\u11a8", "#a\u0000b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tags := post.Hashtags(text)
		require.NotNil(t, tags, "JSON shows no tags as [], not null")
		checkTags(t, tags)
		require.Equal(t, tags, post.Hashtags(norm.NFD.String(strings.ToValidUTF8(text, "\uFFFD"))), "however it is composed")
	})
}

// checkTags requires what all readers of tags rely on.
func checkTags(t *testing.T, tags []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, tag := range tags {
		if !norm.NFC.IsNormalString(tag) || strings.ToLower(tag) != tag || seen[tag] {
			require.Fail(t, "a tag is NFC, lower case and there once", "%+q of %+q", tag, tags)
		}
		seen[tag] = true
		if again := post.Hashtags("#" + tag); len(again) != 1 || again[0] != tag {
			require.Fail(t, "a tag is its own tag", "%+q gives %+q", tag, again)
		}
		if len([]rune(tag)) <= post.MaxTag {
			require.NoError(t, cqrsfeed.ValidateFeed(tag))
		}
	}
}
