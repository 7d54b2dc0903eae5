package repository

import (
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/groupcommit"
)

// Queue sets the time that a creation holds a slot, and calls onShare before a shared transaction begins. It returns a
// function that returns the number of waiting items.
func (r *Repository[T]) Queue(turn time.Duration, onShare func()) (waiting func() int) {
	config := r.groupConfig()
	config.Turn = turn
	share := config.Share
	config.Share = func(take func() []*newRow) []error {
		onShare()
		return share(take)
	}
	r.creating = groupcommit.New(config)
	return r.creating.Waiting
}
