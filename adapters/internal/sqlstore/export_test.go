package sqlstore

import "time"

// Queue has creations take turns of that length, and tells how many items wait.
func (r *Repository[T]) Queue(turn time.Duration) (waiting func() int) {
	r.creating.turn = turn
	return func() int {
		r.creating.mu.Lock()
		defer r.creating.mu.Unlock()
		return len(r.creating.waiting)
	}
}
