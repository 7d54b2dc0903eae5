package readmodel_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/internal/examplenotes"
)

// Erase removes the content of a note at once. Purge removes its tombstone when no message of the note can be under way any
// more.
func ExamplePurge() {
	ctx := context.Background()
	notes, _, feeds, done := examplenotes.Open(ctx)
	defer done()
	_, err := notes.Create(ctx, "n1", Note{Text: "my password is …", Tags: []string{"go"}})
	must(err)

	erased, err := notes.Erase(ctx, "n1")
	must(err)
	fmt.Printf("version %d: %q\n", erased.Version, erased.Body.Text)
	_, err = notes.Create(ctx, "n1", Note{})
	fmt.Println(errors.Is(err, cqrsfeed.ErrExists))

	summary, err := readmodel.Purge(ctx, readmodel.PurgeConfig[Note]{
		Source: notes, Stores: []readmodel.Store[Note]{feeds}, Before: time.Now().Add(-90 * 24 * time.Hour),
	})
	must(err)
	fmt.Println(summary.Items, "are old enough")
	// Output:
	// version 2: ""
	// true
	// 0 are old enough
}
