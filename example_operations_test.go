package feedmill_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
)

// onlyOperators stands for the application's own authorization.
func onlyOperators(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "operator" || password != "secret" {
			http.Error(w, "operators only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// A page for operators, behind the application's own authorization.
func ExampleApp_Operations() {
	ctx := context.Background()
	db, store, notes, feeds := openExampleNotes(ctx)
	defer db.Close()
	mux := http.NewServeMux()

	app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox()}, nil))
	must(feedmill.AddFeeds(app, feedmill.FeedsConfig[Note]{Items: notes, Store: feeds, FeedsOf: tagsOf}))
	page, err := app.Operations()
	check(err)
	mux.Handle("/operations", onlyOperators(page))

	must(notes.Create(ctx, "n1", Note{Text: "hello", Tag: "go"})) // waits, because the app does not run yet
	for _, password := range []string{"guessed", "secret"} {
		request := httptest.NewRequest(http.MethodGet, "/operations", http.NoBody)
		request.SetBasicAuth("operator", password)
		request.Header.Set("Accept", "text/html")
		response := httptest.NewRecorder()
		mux.ServeHTTP(response, request)
		fmt.Println(response.Code, strings.Contains(response.Body.String(), "1 waiting"))
	}
	// Output:
	// 403 false
	// 200 true
}

// A second store of the feeds is filled by the operators' page before it takes over from the first.
func ExampleAddReadModel() {
	ctx, stop := context.WithCancel(context.Background())
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	notes := must(sqlitestore.NewRepository[Note](store, "note"))
	feeds := must(sqlitestore.NewFeedStore[Note](store, "note"))
	second := must(sqlitestore.NewFeedStore[Note](store, "note2"))
	check(store.EnsureSchema(ctx))
	must(notes.Create(ctx, "n1", Note{Text: "hello", Tag: "go"}))

	app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox()}, nil))
	must(feedmill.AddFeeds(app, feedmill.FeedsConfig[Note]{Items: notes, Store: feeds, FeedsOf: tagsOf}))
	check(feedmill.AddReadModel(app, "second", operate.Target[Note]{Source: notes, Store: second, FeedsOf: tagsOf}))
	server := httptest.NewServer(must(app.Operations()))
	stopped := make(chan error)
	go func() { stopped <- app.Run(ctx) }()
	<-app.Running()

	response, err := http.PostForm(server.URL, url.Values{"action": {"rebuild"}, "name": {"second"}})
	check(err)
	must(io.Copy(os.Stdout, response.Body))
	check(response.Body.Close())
	server.Close()
	stop()
	check(<-stopped)
	// Output:
	// {
	//   "done": "rebuild of \"second\" has begun"
	// }
}
