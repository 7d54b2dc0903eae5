package sqldb

import (
	"context"
	"fmt"
)

// Gate admits one caller at a time, in the order of arrival. It is a channel of size 1. The nil Gate admits everybody.
type Gate chan struct{}

// Enter waits for the caller's turn, or until ctx ends.
func (g Gate) Enter(ctx context.Context) (leave func(), err error) {
	if g == nil {
		return func() {}, nil
	}
	select {
	case g <- struct{}{}:
		return func() { <-g }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for other writers: %w", ctx.Err())
	}
}
