package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/internal/chrome"
	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// logPage shows a text by the client and by a plain EventSource, of which it counts the events that append.
const logPage = `<!doctype html>
<title>A page that follows a text</title>
<script type="module">
import { StreamClient } from '/client/index.js'
const streams = new StreamClient('/streams', { share: 'all' })
window.shown = ''
window.appended = 0
streams.subscribe('log', { state: (text) => { shown = text } })

const events = new EventSource('/log')
window.text = ''
events.addEventListener('data', ({ data }) => { text = JSON.parse(data) })
events.addEventListener('append', ({ data }) => { text += JSON.parse(data); appended++ })
</script>`

// TestATextThatGrows is shown by pages that were there from its beginning, that join, and whose connections are cut.
func TestATextThatGrows(t *testing.T) {
	t.Parallel()
	ctx := context.WithoutCancel(t.Context())
	var mu sync.Mutex
	var text string
	log, err := ssestream.AdapterBuilder[struct{}, string]{
		RequestKey: func(*http.Request) (string, error) { return "log", nil },
		EventKeys:  func(struct{}) []string { return []string{"log"} },
		Load: func(context.Context, string) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			return text, nil
		},
		Append: true, Compress: true,
	}.Build()
	require.NoError(t, err)
	router, err := ssestream.NewRouter(ssestream.RouterConfig{}, watermill.NopLogger{})
	require.NoError(t, err)
	streams, err := router.AddStreamsHandler(ssestream.Stream{Pattern: "log", Topics: []string{topic}, Adapter: log})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(logPage)) // The browser may be gone.
	})
	mux.Handle("GET /client/", http.StripPrefix("/client/", http.FileServer(http.Dir(built))))
	mux.Handle("GET /streams", streams)
	mux.Handle("GET /log", router.AddHandler(topic, log))
	server := httptest.NewServer(mux)
	proxy, err := ssestreamtest.StartProxy(server.URL)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, router.Close())
		require.NoError(t, proxy.Close())
		server.Close()
	})
	change := func(to func(before string) string) {
		mu.Lock()
		text = to(text)
		mu.Unlock()
		require.NoError(t, router.Publish(topic, message.NewMessage(watermill.NewUUID(), []byte("{}"))))
	}

	browser, err := chrome.Start(ctx)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, browser.Close()) })
	var pages []*window
	show := func() {
		t.Helper()
		want := strconv.Quote(text) // only ASCII, which JavaScript reads alike
		for _, w := range pages {
			require.NoError(t, w.Await("shown === "+want+" && text === "+want))
		}
	}
	open := func() {
		opened, err := browser.Open(proxy.URL()+"/", 640, 480)
		require.NoError(t, err)
		pages = append(pages, &window{opened, t})
	}
	open()
	for n := range 30 {
		change(func(before string) string { return fmt.Sprint(before, n, ` "line"`, "\n\t") })
		switch n {
		case 10:
			open() // in the middle
		case 15:
			show()
			change(func(before string) string { return before[:20] })
		case 20:
			change(func(string) string { return "another" })
		case 25:
			show()
			proxy.Reset()
		default:
			show()
		}
	}
	show()
	require.Greater(t, value[int](pages[0], "appended"), 10, "whole texts are the exception")
}
