package cqrsfeed_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/examplenotes"
)

// Decode converts the application's own events into items. The version of an item must grow with every change. Here it is the
// application's count of the changes of an article.
func ExampleTagFeeds_ownEvents() {
	ctx := context.Background()
	_, _, feeds, done := examplenotes.Open(ctx)
	defer done()

	type articlePublished struct {
		Article   string
		Change    int64
		Headline  string
		Sections  []string
		At        time.Time
		Withdrawn bool
	}
	tagFeeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[Note]{
		Store: feeds,
		Decode: func(msg *message.Message) (cqrsfeed.Item[Note], error) {
			var event articlePublished
			if err := json.Unmarshal(msg.Payload, &event); err != nil {
				return cqrsfeed.Item[Note]{}, fmt.Errorf("decode article: %w", err)
			}
			return cqrsfeed.Item[Note]{
				ID: event.Article, Version: event.Change, CreatedAt: event.At, Deleted: event.Withdrawn,
				Body: Note{Text: event.Headline, Tags: event.Sections},
			}, nil
		},
		FeedsOf: func(note cqrsfeed.Item[Note]) []string { return note.Body.Tags },
	})
	must(err)

	for _, payload := range []string{
		`{"Article":"a1","Change":1,"Headline":"Goal!","Sections":["sports"],"At":"2026-01-02T15:04:05Z"}`,
		`{"Article":"a1","Change":2,"Headline":"Goal?","Sections":["sports","opinion"],"At":"2026-01-02T15:04:05Z"}`,
	} {
		_, err := tagFeeds.Apply(ctx, []*message.Message{message.NewMessage(watermill.NewUUID(), []byte(payload))})
		must(err)
	}
	page, err := feeds.Page(ctx, "opinion", "", 10)
	must(err)
	fmt.Println(page.Feed.Count, page.Items[0].ID, page.Items[0].Body.Text)
	// Output:
	// 1 a1 Goal?
}
