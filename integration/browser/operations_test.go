package browser_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/integration/internal/chrome"
)

// TestOperationsPage uses the operators' page by its forms, which need no script, shows messages as text, and refuses what the
// page of another site sends.
func TestOperationsPage(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", sqlitestore.DSN(filepath.Join(t.TempDir(), "outbox.db")))
	require.NoError(t, err)
	defer db.Close()
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	for range 2 {
		msg := message.NewMessage(watermill.NewUUID(), []byte(`<script>window.injected = true</script>`))
		require.NoError(t, store.Outbox().Add(t.Context(), tx, "note-created", msg))
	}
	require.NoError(t, tx.Commit())
	_, err = store.Outbox().Drain(t.Context(), 2, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		reason := errors.New(`<img src=x onerror="window.injected = true">`)
		return slices.Repeat([]outbox.Result{{Outcome: outbox.Park, Reason: reason}}, len(batch))
	})
	require.NoError(t, err)
	handler, err := operate.NewHandler(operate.HandlerConfig{Outbox: store.Outbox()})
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<form method="post" action="`+server.URL+`"><button name="action" value="unpark-all">A kitten</button></form>`)
	}))
	defer evil.Close()
	parked := func() int64 {
		backlog, err := store.Outbox().Backlog(t.Context())
		require.NoError(t, err)
		return backlog.Parked
	}

	browser, err := chrome.Start(context.WithoutCancel(t.Context()))
	require.NoError(t, err)
	defer func() { require.NoError(t, browser.Close()) }()
	window, err := browser.Open(server.URL, 1000, 800)
	require.NoError(t, err)
	await := func(expression string) { require.NoError(t, window.Await(expression)) }
	click := func(selector string) {
		_, err := chrome.Value[bool](window, "document.querySelector('"+selector+"').click(), true")
		require.NoError(t, err)
	}
	await(`document.body.textContent.includes('2 parked') && getComputedStyle(document.body).maxWidth !== 'none'`)
	await(`document.body.textContent.includes('<img src=x') && window.injected === undefined && !document.querySelector('img, script')`)

	click("input[name=id]")
	click("button[value=discard]")
	await(`document.querySelector('[role=alert]')?.textContent.includes('confirm=yes')`)
	require.Equal(t, int64(2), parked())
	require.NoError(t, window.Navigate(server.URL))
	click("input[name=id]")
	click("button[value=unpark]")
	await(`document.querySelector('[role=status]')?.textContent === '1 of 1 message returned to the outbox'`)
	require.Equal(t, int64(1), parked())

	other := strings.Replace(evil.URL, "127.0.0.1", "localhost", 1)
	require.NoError(t, window.Navigate(other))
	click("button")
	await(`document.querySelector('[role=alert]')?.textContent.includes('cross-origin')`)
	require.Equal(t, int64(1), parked())
}
