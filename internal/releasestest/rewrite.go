package releasestest

import (
	"context"
	"errors"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Rewrite stores every item in the form of this release.
func Rewrite[T any](ctx context.Context, notes cqrsfeed.Repository[T]) error {
	for after := ""; ; {
		items, err := notes.Scan(ctx, after, 0)
		if err != nil || len(items) == 0 {
			return err
		}
		for _, item := range items {
			after = item.ID
			if item.Deleted {
				continue
			}
			_, err := notes.Update(ctx, item.ID, func(*T) error { return nil })
			if err != nil && !errors.Is(err, cqrsfeed.ErrNotFound) { // somebody deleted it
				return err
			}
		}
	}
}
