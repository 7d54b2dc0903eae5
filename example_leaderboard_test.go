package feedmill_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/ssestream"
)

// Song is the item of the example.
type Song struct {
	Author string
	Votes  int64
}

// countVotes is a step of the leaderboard. It subtracts what the song had before and adds what it has now.
func countVotes(ctx context.Context, tx *sql.Tx, before, after *cqrsfeed.Item[Song]) error {
	votes := map[string]int64{}
	if before != nil {
		votes[before.Body.Author] -= before.Body.Votes
	}
	if after != nil {
		votes[after.Body.Author] += after.Body.Votes
	}
	for author, n := range votes {
		_, err := tx.ExecContext(ctx, `INSERT INTO leaderboard (author, votes) VALUES (?, ?)
			ON CONFLICT (author) DO UPDATE SET votes = votes + excluded.votes`, author, n)
		if err != nil {
			return err
		}
		// The name of an author whose songs are all gone, or erased, must not stay.
		if _, err := tx.ExecContext(ctx, "DELETE FROM leaderboard WHERE author = ? AND votes = 0", author); err != nil {
			return err
		}
	}
	return nil
}

// clearVotes deletes all that the steps wrote.
func clearVotes(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM leaderboard")
	return err
}

// standing is a line of the leaderboard.
type standing struct {
	Author string
	Votes  int64
}

// loadLeaders returns what a page of the leaderboard shows.
func loadLeaders(ctx context.Context, db *sql.DB) ([]standing, error) {
	rows, err := db.QueryContext(ctx, "SELECT author, votes FROM leaderboard ORDER BY votes DESC, author LIMIT 10")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	leaders := []standing{}
	for rows.Next() {
		var s standing
		if err := rows.Scan(&s.Author, &s.Votes); err != nil {
			return nil, err
		}
		leaders = append(leaders, s)
	}
	return leaders, rows.Err()
}

// A leaderboard of authors by the votes of their songs, in a table of the application's own, and a page that follows it. It
// stays exact when events are repeated, late or lost in a crash.
func ExampleAddTable() {
	ctx, stop := context.WithCancel(context.Background())
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	songs := must(sqlitestore.NewRepository[Song](store, "song"))
	leaderboard := must(sqlitestore.NewTableProjection(store, "leaderboard", countVotes))
	check(store.EnsureSchema(ctx))
	must(db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS leaderboard (author TEXT PRIMARY KEY, votes INTEGER NOT NULL)"))

	app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox()}, nil))
	table := must(feedmill.AddTable(app, feedmill.TableConfig[Song]{Name: "leaderboard", Items: songs, Projection: leaderboard}))
	const key = "leaders"
	leaders := must(ssestream.AdapterBuilder[cqrsfeed.ItemUpdated[Song], []standing]{
		RequestKey: func(*http.Request) (string, error) { return key, nil },
		EventKeys:  func(cqrsfeed.ItemUpdated[Song]) []string { return []string{key} },
		Load:       func(ctx context.Context, _ string) ([]standing, error) { return loadLeaders(ctx, db) },
	}.Build())
	server := httptest.NewServer(app.Handle(leaders, table.Topic()))
	stopped := make(chan error)
	go func() { stopped <- app.Run(ctx) }()

	states := follow(server.URL)
	fmt.Println(<-states)
	must(songs.Create(ctx, "s1", Song{Author: "ann", Votes: 2}))
	fmt.Println(<-states)
	must(songs.Create(ctx, "s2", Song{Author: "bob", Votes: 1}))
	fmt.Println(<-states)
	must(songs.Update(ctx, "s2", func(song *Song) error { song.Votes += 2; return nil }))
	fmt.Println(<-states)
	must(songs.Delete(ctx, "s1"))
	fmt.Println(<-states)
	stop()
	check(<-stopped)
	server.Close()
	// Output:
	// []
	// [{"Author":"ann","Votes":2}]
	// [{"Author":"ann","Votes":2},{"Author":"bob","Votes":1}]
	// [{"Author":"bob","Votes":3},{"Author":"ann","Votes":2}]
	// [{"Author":"bob","Votes":3}]
}

// Operators clear and rebuild the leaderboard when somebody has changed its table.
func ExampleAddTable_operators() {
	ctx, stop := context.WithCancel(context.Background())
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	songs := must(sqlitestore.NewRepository[Song](store, "song"))
	leaderboard := must(sqlitestore.NewTableProjection(store, "leaderboard", countVotes))
	check(store.EnsureSchema(ctx))
	must(db.ExecContext(ctx, "CREATE TABLE leaderboard (author TEXT PRIMARY KEY, votes INTEGER NOT NULL)"))
	app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox()}, nil))

	must(feedmill.AddTable(app, feedmill.TableConfig[Song]{
		Name: "leaderboard", Items: songs, Projection: leaderboard,
		Clear: func(ctx context.Context) error { return leaderboard.Clear(ctx, clearVotes) },
	}))
	server := httptest.NewServer(must(app.Operations()))
	stopped := make(chan error)
	go func() { stopped <- app.Run(ctx) }()
	<-app.Running()

	form := url.Values{"action": {"remake"}, "name": {"leaderboard"}, "confirm": {"yes"}}
	response, err := http.PostForm(server.URL, form)
	check(err)
	must(io.Copy(os.Stdout, response.Body))
	check(response.Body.Close())
	server.Close()
	stop()
	check(<-stopped)
	// Output:
	// {
	//   "done": "remake of \"leaderboard\" has begun"
	// }
}

// A leaderboard that was changed by hand, or by a step with a fault, is made anew from the songs. Events may flow meanwhile.
func ExampleAddTable_rebuild() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	songs := must(sqlitestore.NewRepository[Song](store, "song"))
	leaderboard := must(sqlitestore.NewTableProjection(store, "leaderboard", countVotes))
	check(store.EnsureSchema(ctx))
	must(db.ExecContext(ctx, "CREATE TABLE leaderboard (author TEXT PRIMARY KEY, votes INTEGER NOT NULL)"))
	must(songs.Create(ctx, "s1", Song{Author: "ann", Votes: 2}))
	must(db.ExecContext(ctx, "INSERT INTO leaderboard VALUES ('mallory', 1000)"))

	err := leaderboard.Clear(ctx, clearVotes)
	summary, failed := readmodel.Rebuild(ctx, readmodel.RebuildConfig[Song]{Source: songs, Store: leaderboard.Model()})
	fmt.Println(summary.Items, errors.Join(err, failed))
	fmt.Println(loadLeaders(ctx, db))
	// Output:
	// 1 <nil>
	// [{ann 2}] <nil>
}
