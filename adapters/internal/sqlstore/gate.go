package sqlstore

import (
	"context"
	"fmt"
)

// gate lets one caller at a time in, in the order of arrival. The nil gate lets everybody in.
type gate chan struct{}

// enter waits for the caller's turn, or until ctx ends.
func (g gate) enter(ctx context.Context) (leave func(), err error) {
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
