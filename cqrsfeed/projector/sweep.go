package projector

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// mostUntold is how many updates may wait for the broker before there is no other sweep. What was not swept waits
// in the store.
const mostUntold = 10_000

// sweepRest is how long there is no sweep after one, in multiples of what it took: nine times, so that sweeps take at
// most a tenth of the time.
const sweepRest = 9

// sweep calls a Sweeper at start and every SweepInterval, or later when it takes long. A failed sweep is logged and
// comes again, and what could not be announced is announced with the next one: the sweep itself does not find it
// again.
func (p *Projector) sweep(stopping, work context.Context) {
	sweeper, ok := p.config.Projection.(Sweeper)
	if !ok {
		return
	}
	var waiting untold
	for stopping.Err() == nil {
		rest := p.config.SweepInterval
		var failure error
		if len(waiting.updates) < mostUntold {
			var updates []*message.Message
			began := time.Now()
			updates, failure = p.sweepOnce(work, sweeper)
			rest = max(rest, sweepRest*time.Since(began))
			waiting.add(updates)
		}
		failure = errors.Join(failure, p.tell(work, &waiting))
		if failure != nil {
			p.logger.Error("Projector could not sweep, will retry", failure, nil)
		}
		timer := time.NewTimer(rest)
		select {
		case <-timer.C:
		case <-stopping.Done():
		}
		timer.Stop()
	}
}

func (p *Projector) sweepOnce(ctx context.Context, sweeper Sweeper) (updates []*message.Message, err error) {
	err = p.recovered(func() (err error) {
		updates, err = sweeper.Sweep(ctx)
		return err
	})
	return updates, err
}

// tell announces what waits.
func (p *Projector) tell(ctx context.Context, waiting *untold) error {
	left, err := p.announce(ctx, waiting.updates)
	if len(left) < len(waiting.updates) {
		*waiting = untold{}
		waiting.add(left)
	}
	return err
}

// untold are updates that wait to be published, in the order in which they came: the newest of each feed, and all
// that are not of feeds.
type untold struct {
	updates []*message.Message
	feeds   map[string]untoldPlace // by name
}

// untoldPlace is where the update of a feed waits.
type untoldPlace struct {
	index    int
	revision int64
}

func (u *untold) add(updates []*message.Message) {
	for _, update := range updates {
		event, ok := feedUpdateIn(update)
		if !ok {
			u.updates = append(u.updates, update)
			continue
		}
		older, known := u.feeds[event.Feed]
		switch {
		case !known:
			if u.feeds == nil {
				u.feeds = make(map[string]untoldPlace)
			}
			u.feeds[event.Feed] = untoldPlace{len(u.updates), event.Revision}
			u.updates = append(u.updates, update)
		case older.revision <= event.Revision:
			u.feeds[event.Feed] = untoldPlace{older.index, event.Revision}
			u.updates[older.index] = update
		}
	}
}

func feedUpdateIn(update *message.Message) (cqrsfeed.FeedUpdated, bool) {
	var event cqrsfeed.FeedUpdated
	if update.Metadata.Get(cqrsfeed.NameKey) != cqrsfeed.FeedUpdatedName || json.Unmarshal(update.Payload, &event) != nil {
		return cqrsfeed.FeedUpdated{}, false
	}
	return event, event.Feed != ""
}
