package live

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// Welcome writes the posts of a first start, which tell the way of a post, unless a post was ever written. The last station
// comes first, because a page shows the newest post at its top.
func Welcome(ctx context.Context, posts cqrsfeed.Repository[post.Post]) error {
	some, err := posts.Scan(ctx, "", 1)
	if err != nil || len(some) > 0 {
		return err
	}
	stations, err := readStations()
	if err != nil {
		return err
	}
	n := 0
	for _, station := range slices.Backward(stations) {
		for _, told := range slices.Backward(station.Posts) {
			lines := []string{told.Text + " " + told.Tags}
			for _, code := range told.Code {
				lines = append(lines, fmt.Sprintf("Code: `%s` in `%s`", code.Name, code.File))
			}
			p, err := post.New(told.Title, strings.Join(lines, "\n"), "Feedmill")
			if err == nil {
				_, err = posts.Create(ctx, fmt.Sprintf("welcome-%02d", n), p)
			}
			if err != nil {
				return fmt.Errorf("write the posts of a first start: %w", err)
			}
			n++
		}
	}
	return nil
}
