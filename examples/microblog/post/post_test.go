package post_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

func TestNew(t *testing.T) {
	t.Parallel()
	p, err := post.New("  A title ", "\n#Go is #fun\t", " Ada ")
	require.NoError(t, err)
	require.Equal(t, post.Post{Title: "A title", Content: "#Go is #fun", Author: "Ada", Tags: []string{"go", "fun"}}, p)
}

// TestNewTakes what only seems to be invisible, and a post without a title.
func TestNewTakes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"❤️", "👨‍👩‍👧‍👦", "।", "\u200bx", ".", "\u0301", "ﷺ"} {
		_, err := post.New("", text, text)
		require.NoError(t, err, "%+q", text)
	}
}

func TestNewCountsCharacters(t *testing.T) {
	t.Parallel()
	_, err := post.New(strings.Repeat("ü", post.MaxTitle), strings.Repeat("日", post.MaxContent), strings.Repeat("👍", post.MaxAuthor))
	require.NoError(t, err)
	_, err = post.New(" "+strings.Repeat("x", post.MaxTitle)+" ", "what is trimmed does not count", "Ada")
	require.NoError(t, err)
	_, err = post.New("a title", distinctTags(post.MaxTags)+" #"+strings.Repeat("日", post.MaxTag), "Ada")
	require.Equal(t, []string{"content"}, fieldsOf(t, err), "one tag too many")
	_, err = post.New("a title", distinctTags(post.MaxTags-1)+" #"+strings.Repeat("日", post.MaxTag), "Ada")
	require.NoError(t, err)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		title, content, author string
		fields                 []string
	}{
		"all empty":              {"", "", "", []string{"content", "author"}},
		"white space":            {" ", "\t\r\n", "\u00a0\u2003", []string{"content", "author"}},
		"invisible":              {"\u200b", "\u3164 \u2800", "\ufe0f\u115f\u2060\u00ad", []string{"title", "content", "author"}},
		"control characters":     {"\x00", "\u202e", "\u0007\x7f", []string{"title", "content", "author"}},
		"title too long":         {strings.Repeat("x", post.MaxTitle+1), "c", "a", []string{"title"}},
		"content too long":       {"t", strings.Repeat("ü", post.MaxContent+1), "a", []string{"content"}},
		"author too long":        {"t", "c", strings.Repeat("ü", post.MaxAuthor+1), []string{"author"}},
		"too many tags":          {"t", distinctTags(post.MaxTags + 1), "a", []string{"content"}},
		"tag too long":           {"t", "#" + strings.Repeat("x", post.MaxTag+1), "a", []string{"content"}},
		"several wrong together": {"\u200b", "#" + strings.Repeat("x", post.MaxTag+1), "a", []string{"title", "content"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := post.New(test.title, test.content, test.author)
			require.Equal(t, test.fields, fieldsOf(t, err))
			require.Zero(t, p)
			for _, field := range test.fields {
				require.ErrorContains(t, err, field)
			}
		})
	}
}

func TestEdited(t *testing.T) {
	t.Parallel()
	before, err := post.New("A title", "#go and #sse", "Ada")
	require.NoError(t, err)
	title, content, empty := "Another", "#sse and #vue", " "
	for name, test := range map[string]struct {
		title, content *string
		want           post.Post
	}{
		"nothing": {nil, nil, before},
		"title":   {&title, nil, post.Post{Title: "Another", Content: "#go and #sse", Author: "Ada", Tags: []string{"go", "sse"}}},
		"content": {nil, &content, post.Post{Title: "A title", Content: "#sse and #vue", Author: "Ada", Tags: []string{"sse", "vue"}}},
		"both":    {&title, &content, post.Post{Title: "Another", Content: "#sse and #vue", Author: "Ada", Tags: []string{"sse", "vue"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := before.Edited(test.title, test.content)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
	untitled, err := before.Edited(&empty, nil)
	require.NoError(t, err)
	require.Empty(t, untitled.Title, "the title can be taken away")
	_, err = before.Edited(nil, &empty)
	require.Equal(t, []string{"content"}, fieldsOf(t, err))
}

func TestRandomIsValid(t *testing.T) {
	t.Parallel()
	numbers := map[int]bool{}
	for range 500 {
		p, err := post.Random().Checked()
		require.NoError(t, err)
		again, err := post.New(p.Title, p.Content, p.Author)
		require.NoError(t, err)
		require.Equal(t, p, again)
		numbers[len(p.Tags)] = true
	}
	require.Equal(t, map[int]bool{1: true, 2: true, 3: true}, numbers, "one to three hashtags")
}

// distinctTags is a text with n tags.
func distinctTags(n int) string {
	var text strings.Builder
	for i := range n {
		text.WriteString(" #tag")
		text.WriteString(strings.Repeat("x", i))
	}
	return text.String()
}

// fieldsOf returns which fields a refusal names.
func fieldsOf(t *testing.T, err error) []string {
	t.Helper()
	var invalid cqrsfeed.FieldErrors
	require.ErrorAs(t, err, &invalid)
	var fields []string
	for _, f := range invalid {
		require.NotEmpty(t, f.Detail)
		fields = append(fields, f.Field)
	}
	return fields
}
