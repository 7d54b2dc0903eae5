package cqrsfeed_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

func TestMessageTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		msg, err := cqrsfeed.NewMessage("Event", 1)
		require.NoError(t, err)
		assert.True(t, time.Now().Equal(cqrsfeed.MessageTime(msg)))
		msg.Metadata.Set("time", "yesterday")
		assert.True(t, cqrsfeed.MessageTime(msg).IsZero())
		assert.True(t, cqrsfeed.MessageTime(message.NewMessage("m", nil)).IsZero())
	})
}
