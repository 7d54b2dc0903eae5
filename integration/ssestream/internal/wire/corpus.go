package wire

import (
	"math/rand/v2"
	"strings"
)

// Nasty returns strings that encoders and parsers have mishandled.
func Nasty() []string {
	nasty := []string{
		"", " ", "  x  ", "x", `{"a":1}`,
		// Line ends, alone, in a row, and mixed.
		"\n", "\r", "\r\n", "\n\r", "\r\r", "\n\n", "\r\n\r\n", "\r\r\n\n", "a\nb", "a\rb", "a\r\nb", "a\n\rb",
		"a\n", "a\r", "a\r\n", "\na", "\ra", "\r\na",
		// Characters that look like line ends and are none.
		"\u2028", "\u2029", "\u0085", "\v", "\f", "a\u2028b",
		// Fields, comments and whole events that are only data.
		"a\rid: 666", "a\nid: 666", "data: x\n\nevent: y\ndata: z\n\n", "x\n\nretry: 1\n\n", ":comment", "a\n:\n:b", "id", "event:",
		"data", ":", ": ", "\n:\n", "a: b",
		// NUL, and other controls.
		"\x00", "a\x00b", "\x00\n\x00", "\x01\x1b\x7f",
		// Byte order marks: only the first bytes of a stream can be one.
		"\uFEFF", "\uFEFFx", "\uFEFF\n\uFEFF", "\xFE\xFF", "\xFF\xFE", "\xEF\xBB", "\xEF\xBB\xBF\xEF\xBB\xBF",
		// Invalid UTF-8: alone, cut short, overlong, a surrogate, too high.
		"\xFF", "a\xFFb", "\xFF\xFF\xFF", "\x80", "\xE2\x80", "\xE2\x80\n\xA8", "\xF0\x9F\x98", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
		"\xC3\n\xA9", "\xE2\x80\r\n",
		// Characters of two, three and four bytes.
		"é", "€", "😀", "日本語\nテキスト", "e\u0301", "\uFFFD", "\uFFFF", "\U0010FFFF",
	}
	// Lines that end around the size of a buffer, and long ones.
	for _, size := range []int{511, 512, 4095, 4096, 32767, 65536} {
		nasty = append(nasty, strings.Repeat("x", size-1)+"\r\n\r"+"y", strings.Repeat("é", size/2)+"\n")
	}
	return append(nasty, strings.Repeat("long ", 60_000), strings.Repeat("a\r\n", 20_000))
}

// Corpus returns what the tests send: every nasty string as data and as name, and the same number of made-up
// ones, always the same. No two in a row are the same, for a state that a client has is not sent again.
func Corpus() []Sent {
	nasty := Nasty()
	random := rand.New(rand.NewPCG(9, 2)) //nolint:gosec // G404: test cases, the same every time
	var corpus []Sent
	add := func(s Sent) {
		if !s.Refused() {
			corpus = append(corpus, s)
		}
	}
	for _, text := range nasty {
		add(Sent{Event: "data", HasID: true, Data: []byte(text)})
		add(Sent{Event: text, HasID: true, Data: []byte("named")})
	}
	for range nasty {
		add(Sent{
			Event: madeUp(random, 3),
			HasID: true,
			Data:  []byte(madeUp(random, 40)),
		})
	}
	return corpus
}

// madeUp returns up to that many difficult pieces in a row.
func madeUp(random *rand.Rand, most int) string {
	pieces := [...]string{
		"\n", "\r", "\r\n", " ", ":", "\x00", "\uFEFF", "\xFF", "\xE2\x80", "\xF0\x9F", "\u2028", "data: ", "id: 7", "event: x",
		"retry: 1", "a", "é", "😀", "\n\n", `"`, "\t",
	}
	var text strings.Builder
	for range random.IntN(most + 1) {
		if random.IntN(8) == 0 {
			text.WriteByte(byte(random.IntN(256))) //nolint:gosec // G115: it is a byte
			continue
		}
		text.WriteString(pieces[random.IntN(len(pieces))])
	}
	return text.String()
}
