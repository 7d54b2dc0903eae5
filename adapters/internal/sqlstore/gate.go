package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"sync"
	"weak"
)

// gate lets one at a time in, in the order of arrival. The nil gate lets everybody in.
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

// gates has the gate of each pool in use. All stores on one pool must share a gate, although they are made
// apart from each other. It is a matter of speed and fairness alone: the database's own lock is what keeps
// the data right.
//
//nolint:gochecknoglobals // there is no other place that the stores on one *sql.DB have in common
var gates = struct {
	sync.Mutex
	of map[weak.Pointer[sql.DB]]gate
}{of: map[weak.Pointer[sql.DB]]gate{}}

// gateOf returns the pool's gate, which is forgotten together with the pool.
func gateOf(db *sql.DB) gate {
	key := weak.Make(db)
	gates.Lock()
	defer gates.Unlock()
	if g, ok := gates.of[key]; ok {
		return g
	}
	g := make(gate, 1)
	gates.of[key] = g
	runtime.AddCleanup(db, func(key weak.Pointer[sql.DB]) {
		gates.Lock()
		defer gates.Unlock()
		delete(gates.of, key)
	}, key)
	return g
}
