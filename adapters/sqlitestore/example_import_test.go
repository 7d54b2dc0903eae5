package sqlitestore_test

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strings"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

type article struct {
	Title string   `json:"title"`
	Tags  []string `json:"tags"`
}

func articleTags(a cqrsfeed.Item[article]) []string { return a.Body.Tags }

// oldArticles reads the table of an application that had no repository.
func oldArticles(ctx context.Context, db *sql.DB) iter.Seq2[cqrsfeed.Item[article], error] {
	return func(yield func(cqrsfeed.Item[article], error) bool) {
		rows, err := db.QueryContext(ctx, "SELECT slug, title, tags, published FROM articles ORDER BY slug")
		if err != nil {
			yield(cqrsfeed.Item[article]{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var item cqrsfeed.Item[article]
			var tags string
			var published sql.NullTime
			err := rows.Scan(&item.ID, &item.Body.Title, &tags, &published)
			item.Body.Tags, item.CreatedAt = strings.Fields(tags), published.Time
			if !yield(item, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(cqrsfeed.Item[article]{}, err)
		}
	}
}

// An import stores existing rows with their own times. A rebuild then puts them into the feeds.
func ExampleRepository_import() {
	ctx := context.Background()
	old := openExample()
	defer old.Close()
	must(old.ExecContext(ctx, `CREATE TABLE articles (slug TEXT, title TEXT, tags TEXT, published DATETIME);
		INSERT INTO articles VALUES
			('go', 'Go', 'languages', '2009-11-10 23:00:00'),
			('rust', 'Rust', 'languages', '2015-05-15 12:00:00'),
			('draft', 'A draft', '', NULL)`))

	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	articles := must(sqlitestore.NewRepository[article](store, "article"))
	feeds := must(sqlitestore.NewFeedStore[article](store, "article"))
	must(0, store.EnsureSchema(ctx))

	refused := func(item cqrsfeed.Item[article], reason error) { fmt.Println("refused:", item.ID, reason) }
	for range 2 { // the second one finds everything there
		summary := must(articles.Import(ctx, oldArticles(ctx, old), refused))
		fmt.Printf("%d stored, %d there, %d refused\n", summary.Stored, summary.Passed, summary.Refused)
	}
	must(readmodel.Rebuild(ctx, readmodel.RebuildConfig[article]{
		Source: articles, Store: feeds, FeedsOf: articleTags, Refused: refused,
	}))

	page := must(feeds.Page(ctx, "languages", "", 10))
	for _, item := range page.Items {
		fmt.Println(item.CreatedAt.Year(), item.Body.Title)
	}
	// Output:
	// refused: draft invalid argument: item "draft" has no CreatedAt
	// 2 stored, 0 there, 1 refused
	// refused: draft invalid argument: item "draft" has no CreatedAt
	// 0 stored, 2 there, 1 refused
	// 2015 Rust
	// 2009 Go
}
