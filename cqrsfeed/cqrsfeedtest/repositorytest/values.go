package repositorytest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

func testValues(t *testing.T, f Fixture) {
	texts := map[string]string{
		"empty":     "",
		"emoji":     "a 😀 b 👩‍👩‍👧‍👦 c",
		"scripts":   "Grüße, Ελληνικά, 日本語, עברית, नमस्ते, e\u0301",
		"quotes":    `'single' "double" ` + "`back` \\ \\' \\0 %s ? ; -- /* */",
		"controls":  "nul \x00 bell \x07 tab \t lf \n cr \r del \x7f u2028 \u2028",
		"html":      `<script>alert("&")</script>`,
		"edge":      "\U0010ffff \ufffd \ufeff",
		"number":    "12345678901234567890.10",
		"backslash": `C:\temp\new \u0041`,
	}
	longest := strings.Repeat("😀", limits.MaxIDLength/len("😀"))
	texts[longest] = "the longest id"
	for _, id := range oddIDs() {
		texts[id] = "text of " + id
	}
	for id, text := range texts {
		created, err := f.Repository.Create(t.Context(), id, model.Body{Text: text, Tags: []string{text}})
		require.NoError(t, err, "id %q", id)
		stored, err := f.Repository.Get(t.Context(), id)
		require.NoError(t, err, "id %q", id)
		assert.Equal(t, created, stored)
		updated, err := f.Repository.Update(t.Context(), id, func(body *model.Body) error {
			body.Text += text
			return nil
		})
		require.NoError(t, err, "id %q", id)
		assert.Equal(t, text+text, updated.Body.Text)
	}
	for _, m := range outboxes.DrainAll(t, f.Outbox) {
		item, err := cqrsfeed.DecodeItem[model.Body](m.Message)
		require.NoError(t, err)
		assert.Equal(t, []string{texts[item.ID]}, item.Body.Tags)
	}
}
