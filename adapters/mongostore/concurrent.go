package mongostore

import (
	"context"
	"errors"
	"sync"
)

// together runs steps concurrently, waits for all, and joins their errors.
func together(ctx context.Context, steps ...func(context.Context) error) error {
	errs := make([]error, len(steps))
	var running sync.WaitGroup
	for i, step := range steps {
		running.Go(func() { errs[i] = step(ctx) })
	}
	running.Wait()
	return errors.Join(errs...)
}
