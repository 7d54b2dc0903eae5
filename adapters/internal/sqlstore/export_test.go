package sqlstore

import (
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/groupcommit"
)

// Queue makes creations hold a slot for that long, and calls onShare before a shared transaction begins. It returns how
// many items wait.
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

// MaxInsert is what one INSERT takes at most.
const (
	MaxInsertRows  = maxInsertRows
	MaxInsertBytes = maxInsertBytes
)

// InsertLength is insertLength for rows of one size.
func InsertLength(rows, size int) int { return insertLength(rows, func(int) int { return size }) }
