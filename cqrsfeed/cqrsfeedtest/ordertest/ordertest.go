// Package ordertest has the test that a repository, its outbox and relays keep the order of items together.
package ordertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// Fixture is an empty repository whose topics are divided into partitions, and the empty outbox that its events go to.
type Fixture struct {
	Repository cqrsfeed.Repository[string]
	Topics     cqrsfeed.Topics
	// Outbox is the repository's, and Other the same one as another process opens it.
	Outbox, Other outbox.Outbox
}

// TestOrder changes items while relays of two processes publish to a broker that fails and refuses messages at random, and
// an operator returns what is parked. The broker must get each version of an item after the one before, apart from repeats.
func TestOrder(t *testing.T, f Fixture) {
	t.Helper()
	const items, versions = 10, 12
	ctx, cancel := context.WithTimeout(t.Context(), 6*outboxes.Patience)
	defer cancel()
	broker := &unreliable{t: t, topics: f.Topics, versions: map[string]int64{}}
	change := func(from, to int64) {
		var writing sync.WaitGroup
		for i := range items {
			writing.Go(func() { assert.NoError(t, changeItem(ctx, f.Repository, fmt.Sprint("item-", i), from, to, versions)) })
		}
		writing.Wait()
	}
	change(1, versions/2) // so that there are many versions of an item in a batch
	var relaying, writing sync.WaitGroup
	running, stop := context.WithCancel(ctx)
	for _, queue := range []outbox.Outbox{f.Outbox, f.Other} {
		relay, err := outbox.NewRelay(outbox.RelayConfig{
			Outbox: queue, Publisher: broker, PollInterval: 20 * time.Millisecond,
			MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond,
		}, watermill.NopLogger{})
		require.NoError(t, err)
		relaying.Go(func() { assert.NoError(t, relay.Run(running)) })
	}
	writing.Go(func() { change(versions/2+1, versions) })
	for broker.sum() < items*versions && assert.NoError(t, ctx.Err(), "%d versions were published", broker.sum()) {
		require.NoError(t, unparkSome(ctx, f.Other))
	}
	writing.Wait()
	stop()
	relaying.Wait()
}

func unparkSome(ctx context.Context, queue outbox.Operations) error {
	some, err := queue.Parked(ctx, "", 10)
	for _, m := range some {
		if err == nil {
			_, err = queue.Unpark(ctx, m.ID)
		}
	}
	return err
}

// changeItem creates, changes or deletes an item, so that it gets some versions. The last one is its tombstone.
func changeItem(ctx context.Context, items cqrsfeed.Repository[string], id string, from, to, last int64) error {
	for version := from; version <= to; version++ {
		var err error
		switch version {
		case 1:
			_, err = items.Create(ctx, id, "")
		case last:
			_, err = items.Delete(ctx, id)
		default:
			_, err = items.Update(ctx, id, func(body *string) error { *body += "."; return nil })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unreliable is a broker that takes most messages, also those behind one that it fails to take.
type unreliable struct {
	t      *testing.T
	topics cqrsfeed.Topics

	mu       sync.Mutex
	versions map[string]int64 // that were published last, by item
}

// Publish implements message.Publisher.
func (u *unreliable) Publish(topic string, messages ...*message.Message) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	var errs []error
	for _, msg := range messages {
		switch rand.IntN(25) {
		case 0:
			errs = append(errs, errors.New("away"))
		case 1:
			errs = append(errs, &cqrsfeed.RefusedError{Message: msg, Reason: errors.New("too large")})
		default:
			item, err := cqrsfeed.DecodeItem[string](msg)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			assert.True(u.t, slices.Contains(u.topics.Of(item.ID).All(), topic), "%s of item %q", topic, item.ID)
			assert.LessOrEqual(u.t, item.Version, u.versions[item.ID]+1, "item %s: a version is left out", item.ID)
			u.versions[item.ID] = max(u.versions[item.ID], item.Version)
		}
	}
	return errors.Join(errs...)
}

// Close implements message.Publisher.
func (u *unreliable) Close() error { return nil }

// sum is how many versions were published.
func (u *unreliable) sum() (sum int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, version := range u.versions {
		sum += version
	}
	return sum
}
