package site

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/feedmill/feedmill/integration/internal/chrome"
)

// Browse runs a function with a new microblog and a new browser, and removes both.
func Browse(ctx context.Context, visit func(context.Context, *Site, *chrome.Browser) error) (err error) {
	dir, err := os.MkdirTemp("", "microblog-")
	if err != nil {
		return fmt.Errorf("make a folder for the microblog: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	errorsOnly := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	microblog, err := Start(ctx, "127.0.0.1:0", dir, errorsOnly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, microblog.Stop()) }()
	browser, err := chrome.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, browser.Close()) }()
	return visit(ctx, microblog, browser)
}
