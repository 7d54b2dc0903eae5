package natspubsub

import (
	"context"
	"fmt"
)

// Backlog answers how many messages of the topic those who share the Name have still to acknowledge, delivered or
// not, as a projector's metrics ask for it. It asks the broker, which knows only after a subscription was made.
func (d *DurableSubscriber) Backlog(ctx context.Context, topic string) (int64, error) {
	name, err := consumerName(d.config.Name, topic)
	if err != nil {
		return 0, fmt.Errorf("backlog of topic %q: %w", topic, err)
	}
	consumer, err := d.stream.js.Consumer(ctx, d.stream.config.Name, name)
	if err != nil {
		return 0, fmt.Errorf("backlog of topic %q: ask for consumer %q: %w", topic, name, asNoStream(err))
	}
	known := consumer.CachedInfo() // as it was just answered

	return int64(known.NumPending) + int64(known.NumAckPending), nil //nolint:gosec // streams hold no more than that
}
