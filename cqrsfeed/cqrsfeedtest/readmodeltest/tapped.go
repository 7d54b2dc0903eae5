package readmodeltest

import (
	"context"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// tapped is a store with hooks for a test.
type tapped struct {
	readmodel.Store[model.Body]

	beforeForget     func(seen []readmodel.StoredItem)
	afterStoredItems func()
}

// Forget implements readmodel.Repairer.
func (s *tapped) Forget(ctx context.Context, seen []readmodel.StoredItem) ([]cqrsfeed.FeedUpdated, error) {
	if s.beforeForget != nil {
		s.beforeForget(seen)
	}
	return s.Store.Forget(ctx, seen)
}

// StoredItems implements readmodel.Inspector.
func (s *tapped) StoredItems(ctx context.Context, ids []string) ([]readmodel.StoredItem, error) {
	items, err := s.Store.StoredItems(ctx, ids)
	if s.afterStoredItems != nil {
		s.afterStoredItems()
	}
	return items, err
}
