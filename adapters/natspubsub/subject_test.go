package natspubsub_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/cqrsfeed"
)

func TestSubjectOf(t *testing.T) {
	t.Parallel()
	for topic, want := range map[string]string{
		"post-created":    "p.post-created",
		"post.created.v1": "p.post.created.v1",
		"a b":             "p.a%20b",
		"*":               "p.%2A",
		"post.>":          "p.post.%3E",
		".a.":             "p.%2Ea%2E",
		"a..b":            "p.a%2E%2Eb",
		"50%":             "p.50%25",
		"ö":               "p.%C3%B6",
		"a\x00\r\nb":      "p.a%00%0D%0Ab",
		"feed:go/1@x":     "p.feed:go/1@x",
	} {
		subject, err := natspubsub.SubjectOf("p", topic)
		require.NoError(t, err)
		assert.Equal(t, want, subject, "topic %q", topic)
	}
	for _, topic := range []string{"", strings.Repeat("x", 1100)} {
		_, err := natspubsub.SubjectOf("p", topic)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	}
}

func TestConsumerName(t *testing.T) {
	t.Parallel()
	name, err := natspubsub.ConsumerName("feeds", "post.created v1")
	require.NoError(t, err)
	assert.Equal(t, "feeds@post%2Ecreated%20v1", name)
	_, err = natspubsub.ConsumerName("feeds", strings.Repeat("ö", 100))
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, "255")
}

// Every topic has a subject and a consumer of its own that servers accept, and from which the topic can be read back.
func FuzzTopic(f *testing.F) {
	for _, topic := range []string{"a", "a.b", ".", "..", "a..b", " ", "*", ">", "a*b", "%2E", "ö\xff", "a@b", "\x00", "/\\"} {
		f.Add(topic)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		subject, err := natspubsub.SubjectOf("p", topic)
		if err != nil {
			require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
			return
		}
		for token := range strings.SplitSeq(subject, ".") {
			assert.NotEmpty(t, token)
		}
		assert.NotContains(t, subject, "*")
		assert.NotContains(t, subject, ">")
		assertPrintable(t, subject)
		read, err := url.PathUnescape(strings.TrimPrefix(subject, "p."))
		require.NoError(t, err)
		assert.Equal(t, topic, read)

		name, err := natspubsub.ConsumerName("d", topic)
		if err != nil {
			require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
			return
		}
		assert.NotContains(t, name, ".")
		assert.False(t, strings.ContainsAny(name, "*>/\\ "), name)
		assertPrintable(t, name)
		read, err = url.PathUnescape(strings.TrimPrefix(name, "d@"))
		require.NoError(t, err)
		assert.Equal(t, topic, read)
	})
}

func assertPrintable(t *testing.T, s string) {
	t.Helper()
	for i := range len(s) {
		assert.True(t, s[i] > ' ' && s[i] <= '~', "byte %x in %q", s[i], s)
	}
}
