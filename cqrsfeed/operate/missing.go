package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// errFound ends a list.
var errFound = errors.New("all are found")

// notParkedOf returns the IDs that are not parked. It reads no more of the list than it must.
func notParkedOf(ctx context.Context, queue outbox.Operations, ids []string) ([]string, error) {
	missing := slices.Clone(ids)
	err := eachParked(ctx, queue, func(messages []outbox.ParkedMessage) error {
		missing = slices.DeleteFunc(missing, func(id string) bool {
			return slices.ContainsFunc(messages, func(m outbox.ParkedMessage) bool { return m.ID == id })
		})
		if len(missing) == 0 {
			return errFound
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFound) {
		return nil, err
	}
	return missing, nil
}

func notParkedIn(ctx context.Context, queue outbox.Operations) func([]string) ([]string, error) {
	return func(ids []string) ([]string, error) { return notParkedOf(ctx, queue, ids) }
}

func notPoisonIn(ctx context.Context, queue projector.PoisonQueue) func([]string) ([]string, error) {
	return func(ids []string) ([]string, error) { return notPoisoned(ctx, queue, ids) }
}

// plural returns a number with the noun of what is counted.
func plural[N int | int64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// waiting returns how many messages wait.
func waiting(n int64, estimated bool) string {
	if estimated {
		return fmt.Sprintf("more than %d (at most %d, by their ids)", outbox.MaxCounted, n)
	}
	return strconv.FormatInt(n, 10)
}

// parkedCount returns how many messages are parked.
func parkedCount(n int64) string {
	if n >= outbox.MaxCounted {
		return fmt.Sprintf("%d or more", outbox.MaxCounted)
	}
	return strconv.FormatInt(n, 10)
}
