package feedmill_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/ssestream"
)

// writtenNotes is a projection that remembers which notes were written. It is idempotent: messages may come again.
type writtenNotes struct {
	projector.NoSweep

	seen  map[string]bool
	count atomic.Int64
}

func (p *writtenNotes) Apply(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
	for _, msg := range batch {
		note, err := cqrsfeed.DecodeItem[Note](msg)
		if err != nil {
			return nil, &cqrsfeed.RefusedError{Message: msg, Reason: err} // it is parked
		}
		p.seen[note.ID] = true
	}
	p.count.Store(int64(len(p.seen)))
	update, err := cqrsfeed.NewMessage("TotalUpdated", p.count.Load())
	return []*message.Message{update}, err
}

// A projection of the application's own, and pages that follow what it makes of the events.
func ExampleApp_AddProjection() {
	ctx, stop := context.WithCancel(context.Background())
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	notes := must(sqlitestore.NewRepository[Note](store, "note"))
	check(store.EnsureSchema(ctx))

	app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox()}, nil))
	totals := &writtenNotes{seen: map[string]bool{}}
	check(app.AddProjection(projector.Config{
		Name: "totals", Topics: []string{cqrsfeed.TopicsOf("note").Created}, Projection: totals, UpdatesTopic: "total-updated",
	}))
	const key = "total"
	total := must(ssestream.AdapterBuilder[int64, int64]{
		RequestKey: func(*http.Request) (string, error) { return key, nil },
		EventKeys:  func(int64) []string { return []string{key} },
		Load:       func(context.Context, string) (int64, error) { return totals.count.Load(), nil },
	}.Build())
	server := httptest.NewServer(app.Handle(total, "total-updated"))
	stopped := make(chan error)
	go func() { stopped <- app.Run(ctx) }()

	states := follow(server.URL)
	fmt.Println(<-states)
	must(notes.Create(ctx, "n1", Note{Text: "hello", Tag: "go"}))
	fmt.Println(<-states)
	stop()
	check(<-stopped)
	server.Close()
	// Output:
	// 0
	// 1
}

// Two people edit a note. The second edit is refused, because it is not of the version that its client has seen. Refusals are
// problem documents.
func ExampleFeeds_Command() {
	ctx := context.Background()
	db, store, notes, feeds := openExampleNotes(ctx)
	defer db.Close()
	must(notes.Create(ctx, "n1", Note{Text: "hello", Tag: "go"}))

	app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox()}, nil))
	tags := must(feedmill.AddFeeds(app, feedmill.FeedsConfig[Note]{Items: notes, Store: feeds, FeedsOf: tagsOf}))
	mux := http.NewServeMux()
	edit := func(w http.ResponseWriter, r *http.Request) (none cqrsfeed.Item[Note], err error) {
		input, err := feedmill.ReadJSON[Note](w, r, 64<<10)
		if err != nil {
			return none, err
		}
		condition, err := cqrsfeed.IfMatch(r)
		if err != nil {
			return none, err
		}
		return notes.Update(r.Context(), r.PathValue("id"), func(body *Note) error {
			*body = input
			return nil
		}, condition...)
	}
	mux.HandleFunc("PUT /notes/{id}", tags.Command(http.StatusOK, edit))

	for _, body := range []string{`{"Text":"hello, Ann","Tag":"go"}`, `{"Text":"hello, Bob","Tag":"go"}`, `{"Title":"hello"}`} {
		request := httptest.NewRequest(http.MethodPut, "/notes/n1", strings.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("If-Match", `"1"`)
		response := httptest.NewRecorder()
		mux.ServeHTTP(response, request)
		if response.Code == http.StatusOK {
			fmt.Println(response.Code, response.Header().Get("ETag"))
		} else {
			fmt.Println(response.Body)
		}
	}
	// Output:
	// 200 "2"
	// {"type":"about:blank","title":"Precondition Failed","status":412,"detail":"item has another version: it is 2","errors":[{"field":"If-Match","detail":"item has another version"}]}
	// {"type":"about:blank","title":"Bad Request","status":400,"detail":"Title is not a field of this request","errors":[{"field":"Title","detail":"is not a field of this request"}]}
}

// The command of a container's health check. Here the app does not run yet.
func ExampleCheckReady() {
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox()}, nil))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", app.ServeReady)
	server := httptest.NewServer(mux)
	defer server.Close()

	fmt.Print(feedmill.CheckReady(context.Background(), server.URL+"/readyz"))
	// Output: not ready: the router and the projections are not running yet
}
