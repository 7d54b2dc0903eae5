package postgresstore

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/internal/live"
)

func TestNotificationsAreJoined(t *testing.T) {
	t.Parallel()
	sender := watermill.NewULID()
	var a assembly
	for _, text := range []string{
		"", "short text", strings.Repeat("a", maxNotification), strings.Repeat("a", 50_000), "x" + strings.Repeat("ю", 50_000),
		strings.Repeat("€𝄞", live.MaxBytes/7),
	} {
		parts := split(sender, text)
		seen := map[string]bool{}
		for i, part := range parts {
			assert.LessOrEqual(t, len(part), maxNotification)
			assert.True(t, utf8.ValidString(part))
			assert.False(t, seen[part], "PostgreSQL would drop it")
			seen[part] = true
			from, joined, complete, err := a.add(part)
			require.NoError(t, err)
			assert.Equal(t, sender, from)
			assert.Equal(t, i == len(parts)-1, complete)
			if complete {
				assert.Equal(t, text, joined)
			}
		}
	}
}

func TestAMissingNotificationIsNoticed(t *testing.T) {
	t.Parallel()
	parts := split("one", strings.Repeat("a", 30_000))
	others := split("other", strings.Repeat("b", 30_000))
	require.Len(t, parts, 4)
	for name, sequence := range map[string][]string{
		"first":  parts[1:],
		"middle": {parts[0], parts[2]},
		"last":   {parts[0], others[0]},
		"mixed":  {parts[0], others[1]},
		"count":  {notification("one", 0, maxCount+1, "a")},
	} {
		var a assembly
		var err error
		for _, part := range sequence {
			if err == nil {
				_, _, _, err = a.add(part)
			}
		}
		require.ErrorIs(t, err, errNotification, name)
	}
}

// TestForeignNotificationsArePassedOver: whoever uses the channel for something else must not end subscriptions.
func TestForeignNotificationsArePassedOver(t *testing.T) {
	t.Parallel()
	parts := split("one", strings.Repeat("a", 10_000))
	require.Len(t, parts, 2)
	var a assembly
	for _, part := range []string{"hello", "", "one a b c", parts[0], "hello"} {
		_, _, complete, err := a.add(part)
		require.NoError(t, err)
		require.False(t, complete)
	}
	_, text, complete, err := a.add(parts[1])
	require.NoError(t, err)
	require.True(t, complete)
	assert.Len(t, text, 10_000)
}

func TestABeatIsNoText(t *testing.T) {
	t.Parallel()
	var a assembly
	sender, _, complete, err := a.add(notification("one", 0, 0, "12"))
	require.NoError(t, err)
	assert.Equal(t, "one", sender)
	assert.False(t, complete)
}
