package live

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/internal/backoff"
)

// minNackDelay and maxNackDelay bound the delay of the redelivery after a Nack.
const (
	minNackDelay = 50 * time.Millisecond
	maxNackDelay = 5 * time.Second
)

// HandOut hands out copies of a message, with pauses, until one is acknowledged. It reports false if ctx ended before.
func HandOut(ctx context.Context, out chan<- *message.Message, msg *message.Message) bool {
	retry := backoff.Backoff{Min: minNackDelay, Max: maxNackDelay}
	for !handOutOnce(ctx, out, msg.Copy()) {
		if !retry.Wait(ctx) {
			return false
		}
	}
	return true
}

// handOutOnce reports whether the message was acknowledged.
func handOutOnce(ctx context.Context, out chan<- *message.Message, msg *message.Message) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	msg.SetContext(ctx)
	select {
	case out <- msg:
	case <-ctx.Done():
		return false
	}
	select {
	case <-msg.Acked():
		return true
	case <-msg.Nacked():
	case <-ctx.Done():
	}
	return false
}
