package app

import (
	"context"
	"fmt"

	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// Welcome writes the posts of a first start, unless a post was ever written.
func Welcome(ctx context.Context, posts api.Posts) error {
	some, err := posts.Scan(ctx, "", 1)
	if err != nil || len(some) > 0 {
		return err
	}
	first, err := post.Welcome()
	if err != nil {
		return err
	}
	for i, p := range first {
		if _, err := posts.Create(ctx, fmt.Sprintf("welcome-%02d", i), p); err != nil {
			return fmt.Errorf("write the posts of a first start: %w", err)
		}
	}
	return nil
}
