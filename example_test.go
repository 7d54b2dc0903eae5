package feedmill_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/ssestream"
)

type Note struct{ Text, Tag string }

func tagsOf(n cqrsfeed.Item[Note]) []string { return []string{n.Body.Tag} }

// Notes with a tag each. A page follows the notes of its tag.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	notes := must(sqlitestore.NewRepository[Note](store, "note"))
	feeds := must(sqlitestore.NewFeedStore[Note](store, "note"))
	check(store.EnsureSchema(ctx))

	app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox()}, watermill.NewSlogLogger(slog.Default())))
	tags := must(feedmill.AddFeeds(app, feedmill.FeedsConfig[Note]{Items: notes, Store: feeds, FeedsOf: tagsOf}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
	mux.HandleFunc("POST /notes", func(w http.ResponseWriter, r *http.Request) {
		note, err := notes.Create(r.Context(), watermill.NewULID(), Note{r.FormValue("text"), r.FormValue("tag")})
		tags.Reply(w, r, http.StatusCreated, note, err)
	})
	server := httptest.NewServer(mux) // or app.ListenAndServe, in place of this and of Run
	stopped := make(chan error)
	go func() { stopped <- app.Run(ctx) }()

	states := follow(server.URL + "/feeds/go")
	fmt.Println(count(<-states), "notes")
	form := map[string][]string{"text": {"hello"}, "tag": {"go"}}
	check(must(http.PostForm(server.URL+"/notes", form)).Body.Close()) //nolint:bodyclose // it is closed
	fmt.Println(count(<-states), "note")
	stop()
	check(<-stopped)
	server.Close()
	// Output:
	// 0 notes
	// 1 note
}

// An application with tables of its own: a message in the transaction of the write, and a function that loads the state.
func ExampleApp_Handle() {
	ctx, stop := context.WithCancel(context.Background())
	db := openExample()
	defer db.Close()
	must(db.ExecContext(ctx, "CREATE TABLE orders (id TEXT, state TEXT)"))
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	check(store.EnsureSchema(ctx))

	type orderChanged struct{ ID string }
	type order struct{ State string }
	orders := must(ssestream.AdapterBuilder[orderChanged, order]{
		RequestKey: func(r *http.Request) (string, error) { return r.PathValue("id"), nil },
		EventKeys:  func(event orderChanged) []string { return []string{event.ID} },
		Load: func(ctx context.Context, id string) (o order, err error) {
			err = db.QueryRowContext(ctx, "SELECT state FROM orders WHERE id = ?", id).Scan(&o.State)
			if errors.Is(err, sql.ErrNoRows) {
				return o, cqrsfeed.ErrNotFound // a 404
			}
			return o, err
		},
	}.Build())

	app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox()}, nil))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", app.Handle(orders, "order-changed"))
	server := httptest.NewServer(mux)
	stopped := make(chan error)
	go func() { stopped <- app.Run(ctx) }()

	write := func(query string) {
		check(store.InTx(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, query); err != nil {
				return err
			}
			event := must(cqrsfeed.NewMessage("OrderChanged", orderChanged{ID: "7"}))
			return store.Outbox().Add(ctx, tx, "order-changed", event)
		}))
	}
	write("INSERT INTO orders VALUES ('7', 'paid')")
	states := follow(server.URL + "/orders/7")
	fmt.Println(<-states)
	write("UPDATE orders SET state = 'sent' WHERE id = '7'")
	fmt.Println(<-states)
	stop()
	check(<-stopped)
	server.Close()
	// Output:
	// {"State":"paid"}
	// {"State":"sent"}
}

// Two kinds of items, which a page follows on one connection.
func ExampleApp_Streams() {
	ctx, stop := context.WithCancel(context.Background())
	type User struct{ Team string }
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	notes := must(sqlitestore.NewRepository[Note](store, "note"))
	users := must(sqlitestore.NewRepository[User](store, "user"))
	noteFeeds := must(sqlitestore.NewFeedStore[Note](store, "note"))
	userFeeds := must(sqlitestore.NewFeedStore[User](store, "user"))
	check(store.EnsureSchema(ctx))

	app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox()}, nil))
	tags := must(feedmill.AddFeeds(app, feedmill.FeedsConfig[Note]{Items: notes, Store: noteFeeds, FeedsOf: tagsOf}))
	teams := must(feedmill.AddFeeds(app, feedmill.FeedsConfig[User]{
		Items: users, Store: userFeeds, FeedsOf: func(u cqrsfeed.Item[User]) []string { return []string{u.Body.Team} },
	}))
	server := httptest.NewServer(must(app.Streams(
		ssestream.Stream{Pattern: "notes:{tag}", Topics: []string{tags.Topic()}, Adapter: tags.Pages("tag", nil)},
		ssestream.Stream{Pattern: "users:{team}", Topics: []string{teams.Topic()}, Adapter: teams.Pages("team", nil)},
	)))
	stopped := make(chan error)
	go func() { stopped <- app.Run(ctx) }()

	note := must(notes.Create(ctx, "n1", Note{Text: "hello", Tag: "go"}))
	user := must(users.Create(ctx, "ada", User{Team: "core"}))
	// A read with their tokens waits until both are in their feeds.
	states := follow(server.URL + "?stream=notes:go&stream=users:core" +
		"&feedmill_token=" + note.Token("note").String() + "&feedmill_token=" + user.Token("user").String())
	fmt.Println(count(<-states) + count(<-states))
	stop()
	check(<-stopped)
	server.Close()
	// Output:
	// 2
}

// With a broker the same application has any number of instances. A Go channel stands for one here; with NATS they are the
// publisher and the two subscribers of natspubsub.
func ExampleBroker() {
	ctx, stop := context.WithCancel(context.Background())
	channel := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	broker := &feedmill.Broker{Publisher: channel, Work: channel, Live: channel}
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	notes := must(sqlitestore.NewRepository[Note](store, "note"))
	feeds := must(sqlitestore.NewFeedStore[Note](store, "note"))
	check(store.EnsureSchema(ctx))

	app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox(), Broker: broker}, nil))
	tags := must(feedmill.AddFeeds(app, feedmill.FeedsConfig[Note]{Items: notes, Store: feeds, FeedsOf: tagsOf}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
	server := httptest.NewServer(mux)
	stopped := make(chan error)
	go func() { stopped <- app.Run(ctx) }()

	states := follow(server.URL + "/feeds/go")
	<-states
	must(notes.Create(ctx, "n1", Note{Text: "hello", Tag: "go"}))
	fmt.Println(count(<-states), "note")
	stop()
	check(<-stopped)
	server.Close()
	check(channel.Close())
	// Output:
	// 1 note
}

// Several instances on one database need no broker: Live tells each of what changed at the others. It is a postgresstore.Live or a
// mysqlstore.Live; a Go channel stands for one here.
func ExampleLive() {
	ctx, stop := context.WithCancel(context.Background())
	live := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	notes := must(sqlitestore.NewRepository[Note](store, "note"))
	feeds := must(sqlitestore.NewFeedStore[Note](store, "note"))
	check(store.EnsureSchema(ctx))

	stopped := make(chan error)
	var states []<-chan string
	for range 2 {
		app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox(), Live: live}, nil))
		tags := must(feedmill.AddFeeds(app, feedmill.FeedsConfig[Note]{Items: notes, Store: feeds, FeedsOf: tagsOf}))
		mux := http.NewServeMux()
		mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
		server := httptest.NewServer(mux)
		defer server.Close()
		go func() { stopped <- app.Run(ctx) }()
		states = append(states, follow(server.URL+"/feeds/go"))
	}
	for _, instance := range states {
		<-instance
	}
	must(notes.Create(ctx, "n1", Note{Text: "hello", Tag: "go"}))
	for _, instance := range states {
		fmt.Println(count(<-instance), "note")
	}
	stop()
	check(<-stopped)
	check(<-stopped)
	check(live.Close())
	// Output:
	// 1 note
	// 1 note
}

// openExample opens a database in memory. An application gives DSN the path of a file and needs no limit.
func openExample() *sql.DB {
	db := must(sql.Open("sqlite", sqlitestore.DSN(":memory:")))
	db.SetMaxOpenConns(1)
	return db
}

// openExampleNotes opens a database in memory with the tables of notes, as Example does.
func openExampleNotes(ctx context.Context) (
	*sql.DB, *sqlitestore.Store, *sqlitestore.Repository[Note], *sqlitestore.FeedStore[Note],
) {
	db := openExample()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	notes := must(sqlitestore.NewRepository[Note](store, "note"))
	feeds := must(sqlitestore.NewFeedStore[Note](store, "note"))
	check(store.EnsureSchema(ctx))
	return db, store, notes, feeds
}

// follow returns the states of a stream, as new EventSource(url).addEventListener("data", …) does in a browser.
func follow(url string) <-chan string {
	request := must(http.NewRequest(http.MethodGet, url, http.NoBody))
	request.Header.Set("Accept", "text/event-stream")
	response := must(http.DefaultClient.Do(request)) //nolint:bodyclose // the stream ends with the server
	states := make(chan string)
	go func() {
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				states <- data
			}
		}
	}()
	return states
}

// count returns the number of items in the feed of a page.
func count(state string) int64 {
	var page cqrsfeed.FeedPage[json.RawMessage]
	check(json.Unmarshal([]byte(state), &page))
	return page.Feed.Count
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
