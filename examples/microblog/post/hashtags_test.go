package post_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

type textWithTags struct{ rule, text, tags string }

// textsWithTags returns texts with the tags that they have, separated by spaces.
func textsWithTags() []textWithTags {
	return []textWithTags{
		{"nothing", "", ""},
		{"no sign", "just words", ""},
		{"alone", "#go", "go"},
		{"at the end", "written in #go", "go"},
		{"in a sentence", "I like #go, and (#sse)!", "go sse"},
		{"in their order", "#b #a #c", "b a c"},
		{"each once", "#go #sse #go", "go sse"},
		{"over lines", "#one\n#two\r\n#three\t#four", "one two three four"},
		{"a letter, then a digit", "#web3", "web3"},
		{"a digit, then a letter", "#3d", "3d"},
		{"underscores", "#snake_case #_x #x_", "snake_case _x x_"},

		{"no letter: digits", "bus #16 of 2024", ""},
		{"no letter: Arabic digits", "#٣", ""},
		{"no letter: Devanagari digits", "#१२३", ""},
		{"no letter: underscores", "#_ #1_2", ""},
		{"no letter: a ditto mark", "#〃", ""},
		{"no letter: a keycap", "#️⃣", ""},
		{"no letter: an emoji", "#👍", ""},
		{"nothing behind the sign", "# #- # go", ""},
		{"a mark behind the sign", "#\u0301go", ""},

		{"lower case", "#Go #GO #gO", "go"},
		{"lower case of German", "#ÄRGER #STRAẞE", "ärger straße"},
		{"lower case beyond the first plane", "#𐐀", "𐐨"},
		{"dotted and dotless i", "#İzmir #ılık", "izmir ılık"},
		{"a final sigma", "#ελληνικός #ΕΛΛΗΝΙΚΌΣ", "ελληνικόσ"},
		{"a title with a final sigma", "#ΟΔΟΣ #οδος #οδοσ", "οδοσ"},
		{"composed or not", "#zu\u0308rich #z\u00fcrich", "z\u00fcrich"},
		{"composed only in lower case", "#H\u0331 #h\u0331", "\u1e96"},
		{"an Ångström sign", "#\u212bngstr\u00f6m", "\u00e5ngstr\u00f6m"},

		{"ends at a hyphen", "#go-lang", "go"},
		{"ends at a plus", "#c++", "c"},
		{"ends at an apostrophe", "#it's #it’s", "it"},
		{"ends at punctuation", "#a: #b; #c, #d. #e! #f?", "a b c d e f"},
		{"ends at CJK punctuation", "#日本語。#漢字、", "日本語 漢字"},
		{"ends at an emoji", "#go👍", "go"},
		{"ends at a variation selector", "#go\ufe0fx", "go"},
		{"ends before a dot", "#test.com", "test"},

		{"follows punctuation", ":#a ;#b ,#c .#d !#e ?#f", "a b c d e f"},
		{"follows a bracket", "(#a) [#b] {#c} <#d> \"#e\" -#f", "a b c d e f"},
		{"follows a closing bracket", ")#a ]#b ’#c", "a b c"},
		{"follows CJK punctuation", "です。#日本語 ！#漢字", "日本語 漢字"},
		{"follows an emoji", "👍#go ❤️#vue 👨‍👩‍👧#sse 1️⃣#nats", "go vue sse nats"},
		{"not within a word", "a#b ä#b 1#b _#b", ""},
		{"not within a word without spaces", "日本語#漢字", ""},
		{"not behind a mark", "हि#go e\u0323\u0307#go", ""},
		{"not behind a tag", "#a#b", "a"},
		{"a heading", "##x ###x ＃＃x #＃x", ""},
		{"an entity", "&#39; &#x27; &#go", ""},
		{"the fullwidth sign", "＃go #go ＃ｇｏ", "go ｇｏ"},

		{"a path", "docs/#intro /#top", ""},
		{"tags with a slash between them", "#a/#b/#c", "a b c"},
		{"a slash behind a word", "#a/b/#c", "a"},
		{"an address", "http://x.example/#frag https://x.example/a#frag", ""},
		{"an address with parentheses", "https://en.example.org/wiki/Go_(language)#History", ""},
		{"an address in parentheses", "(https://x.example/a)#go (see https://x.example/b_(c)#d) #vue", "go vue"},
		{"an address without a scheme", "www.x.example#a en.example.org/wiki/Go_(language)#History x.example:80/#b", ""},
		{"an address with a query", "https://x.example/?q=(a)#b&c=/#d #go", "go"},
		{"an address in a sentence without spaces", "見てhttps://x.example/#a。#日本語", "日本語"},
		{"an address of another script", "http://пример.рф/путь/(а)#б", ""},
		{"another scheme", "git+ssh://x.example/(a)#b ipfs://a/(b)#c", ""},
		{"a sign before an address", "#https://x.example/a #http://x.example/#b", ""},
		{"a tag that looks like a host", "#go.example/a", "go"},
		{"a tag behind an address", "https://x.example #go", "go"},

		{"Latin", "#mañana #café #Čeština #Ateş #Azərbaycanca", "mañana café čeština ateş azərbaycanca"},
		{"Cyrillic", "#Привет", "привет"},
		{"Armenian and Georgian", "#Հայերեն #ქართული", "հայերեն ქართული"},
		{"Catalan", "#il·lusió #il\u0387lusió", "il·lusió"},
		{"Japanese", "#日本語 #ひらがな #カタカナ #サッカー #学問のすゝめ #云々 #各〃", "日本語 ひらがな カタカナ サッカー 学問のすゝめ 云々 各〃"},
		{"Japanese of half width", "#ﾊｯｼｭﾀｸﾞ", "ﾊｯｼｭﾀｸﾞ"},
		{"Japanese with a middle dot", "#スター・ウォーズ", "スター・ウォーズ"},
		{"Japanese with waves", "#メ〜テレ #メ～テレ", "メ〜テレ メ～テレ"},
		{"Korean", "#트위터 #ﾣﾦﾰ", "트위터 ﾣﾦﾰ"},
		{"Hindi", "#हिन्दी #महात्मा_१२३४", "हिन्दी महात्मा_१२३४"},
		{"Bengali, Tamil, Malayalam", "#বাংলা #தமிழ் #മലയാളം", "বাংলা தமிழ் മലയാളം"},
		{"Sinhala with a joiner", "#ශ්\u200dරීලංකා", "ශ්\u200dරීලංකා"},
		{"Thai", "#ทวิตล่ม #ผู้เริ่ม", "ทวิตล่ม ผู้เริ่ม"},
		{"Lao, Khmer, Burmese", "#ຊີວິດ #ខ្មែរ #မြန်မာ", "ຊີວິດ ខ្មែរ မြန်မာ"},
		{"Tibetan", "#བོད་སྐད #བོད་སྐད་", "བོད་སྐད"},
		{"Amharic", "#አማርኛ", "አማርኛ"},
		{"Hebrew", "#שלום #שׁלום #מ״כ #וכו׳ #עַל־יְדֵי", "שלום שׁלום מ״כ וכו׳ עַל־יְדֵי"},
		{"Arabic", "#العربية, #ســـلام_عليكم_٤٠٦", "العربية ســـلام_عليكم_٤٠٦"},
		{"Persian with a non-joiner", "#می\u200cخواهم", "می\u200cخواهم"},
		{"beyond the first plane", "#𝒳 #𠀡", "𝒳 𠀡"},
		{"a joint at an end", "#a· #·b #c\u200d #d〜", "a c d"},
		{"two joints", "#a··b", "a"},

		{"invalid UTF-8", "#go\xff #\xffgo", "go"},
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	for _, test := range textsWithTags() {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			want := norm.NFC.String(test.tags) // the editor's form of this file does not matter
			require.Equal(t, want, strings.Join(post.Tags(test.text), " "))
		})
	}
}

// TestHashtagsHavePlaces of UTF-16 code units, as the text of a page has them.
func TestHashtagsHavePlaces(t *testing.T) {
	t.Parallel()
	const text = "👍 #Go ü http://x.example/#no #𐐀/#go"
	units := utf16.Encode([]rune(text))
	var found [][2]string
	for _, hashtag := range post.Hashtags(text) {
		found = append(found, [2]string{hashtag.Tag, string(utf16.Decode(units[hashtag.Start:hashtag.End]))})
	}
	require.Equal(t, [][2]string{{"go", "#Go"}, {"𐐨", "#𐐀"}, {"go", "#go"}}, found)
}

func TestFeedName(t *testing.T) {
	t.Parallel()
	for written, name := range map[string]string{
		"go": "go", "Go": "go", "#Go": "go", "＃GO": "go", "ελληνικός": "ελληνικόσ", "Zu\u0308rich": "z\u00fcrich",
		// These are no hashtags, and feeds of another kind.
		post.FeedOfAll: post.FeedOfAll, "": "", "#": "#", "Two Words": "Two Words", "2024": "2024", "Go-lang": "Go-lang", "\xffGo": "\xffGo",
	} {
		require.Equal(t, name, post.FeedName(written), "%+q", written)
	}
}

// TestTagsOfEveryRune checks for all of Unicode that the tag of a tag is the tag itself, as links rely on.
func TestTagsOfEveryRune(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if unicode.IsLetter(r) {
			tags := post.Tags("#" + string(r))
			require.Len(t, tags, 1, "%+q", r)
			checkTags(t, tags)
		}
		if tags := post.Tags("#a" + string(r) + "b"); unicode.IsMark(r) || unicode.IsDigit(r) {
			checkTags(t, tags)
		}
	}
}

func FuzzHashtags(f *testing.F) {
	for _, test := range textsWithTags() {
		f.Add(test.text)
	}
	f.Add("#" + strings.Repeat("x", 300))
	f.Add(strings.Repeat("#x ", 100))
	f.Add("#\u1100\u1161\u11a8 #a\u0000b")
	f.Fuzz(func(t *testing.T, text string) {
		tags := post.Tags(text)
		require.NotNil(t, tags, "JSON shows no tags as [], not null")
		checkTags(t, tags)
		require.Equal(t, tags, post.Tags(norm.NFD.String(strings.ToValidUTF8(text, "\uFFFD"))), "however it is composed")
		units := utf16.Encode([]rune(text))
		end := 0
		for _, hashtag := range post.Hashtags(text) {
			require.True(t, end <= hashtag.Start && hashtag.Start+1 < hashtag.End && hashtag.End <= len(units), "%+v", hashtag)
			require.Equal(t, hashtag.Tag, post.FeedName(string(utf16.Decode(units[hashtag.Start+1:hashtag.End]))))
			end = hashtag.End
		}
	})
}

// checkTags requires what all readers of tags rely on.
func checkTags(t *testing.T, tags []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, tag := range tags {
		if !norm.NFC.IsNormalString(tag) || strings.Contains(tag, "ς") || seen[tag] {
			require.Fail(t, "a tag is NFC, folded and there once", "%+q of %+q", tag, tags)
		}
		seen[tag] = true
		if again := post.Tags("#" + tag); len(again) != 1 || again[0] != tag {
			require.Fail(t, "a tag is its own tag", "%+q gives %+q", tag, again)
		}
		if post.FeedName(tag) != tag || tag == post.FeedOfAll {
			require.Fail(t, "a tag is the name of its feed", "%+q", tag)
		}
		if len([]rune(tag)) <= post.MaxTag {
			require.NoError(t, cqrsfeed.ValidateFeed(tag))
		}
	}
}
