package sqlstore

import "time"

// Queue makes creations hold a slot for that long, and returns how many items wait.
func (r *Repository[T]) Queue(turn time.Duration) (waiting func() int) {
	r.creating = r.creations(turn)
	return r.creating.Waiting
}

// MaxInsert is what one INSERT takes at most.
const (
	MaxInsertRows  = maxInsertRows
	MaxInsertBytes = maxInsertBytes
)

// InsertLength is insertLength for rows of one size.
func InsertLength(rows, size int) int { return insertLength(rows, func(int) int { return size }) }
