package pipeline_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/integration/internal/parts"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// onRedis is a place whose broker is Redis Streams.
func onRedis(t *testing.T) place {
	t.Helper()
	url := servers.Redis(t)
	file := filepath.Join(t.TempDir(), "microblog.db")

	return func(t *testing.T) (app.Parts, func() error) {
		t.Helper()
		opened, closeStores := parts.OpenSQLite(t, file)
		closeBroker := parts.AddRedis(t, url, &opened)
		return opened, func() error { return errors.Join(closeBroker(), closeStores()) }
	}
}
