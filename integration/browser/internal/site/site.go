// Package site runs the microblog in this process, with everything embedded.
package site

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/demo"
	"github.com/feedmill/feedmill/examples/microblog/stack"
	"github.com/feedmill/feedmill/ssestream"
)

// Site is a running microblog.
type Site struct {
	// URL is the address of the home page, without a trailing slash.
	URL string

	microblog *app.App
	parts     *stack.Stack
	client    *http.Client
	stop      context.CancelFunc
	stopped   chan error
}

// demonstration is how long loads and faults last.
const demonstration = 3 * time.Second

// Start starts a microblog on an address ("127.0.0.1:0" for any free port) with its files in dataDir. It fails if the
// pages are not built.
func Start(ctx context.Context, address, dataDir string, logger *slog.Logger) (_ *Site, err error) {
	parts, err := stack.Open(ctx, stack.Config{DataDir: dataDir}, logger)
	if err != nil {
		return nil, fmt.Errorf("open the microblog's parts: %w", err)
	}
	parts.Demo = &demo.Times{Load: demonstration, Fault: demonstration}
	microblog, err := app.New(parts.Parts, logger) //nolint:contextcheck // it starts nothing; a stream has the context of its request
	if err != nil {
		return nil, errors.Join(err, parts.Close())
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for the microblog: %w", err), parts.Close())
	}
	running, stop := context.WithCancel(ctx)
	s := &Site{
		URL:       "http://" + listener.Addr().String(),
		microblog: microblog,
		parts:     parts,
		client:    &http.Client{Transport: &http.Transport{}},
		stop:      stop,
		stopped:   make(chan error, 1),
	}
	go func() { s.stopped <- microblog.Run(running, listener) }()
	if err := s.checkPages(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// Stop stops the microblog and closes its files.
func (s *Site) Stop() error {
	s.stop()
	s.client.CloseIdleConnections()
	return errors.Join(<-s.stopped, s.parts.Close())
}

// Stats are the counters of the router that open windows follow.
func (s *Site) Stats() ssestream.Stats { return s.microblog.Router().Stats() }

// checkPages returns an error that says what to do if the pages are not built.
func (s *Site) checkPages(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/", http.NoBody)
	if err != nil {
		return fmt.Errorf("get the home page: %w", err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return fmt.Errorf("get the home page: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // the body was read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("get the home page: read body: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("get the home page: %s: %s (run `make web` if examples/microblog/web/build/index.html is missing)",
			response.Status, bytes.TrimSpace(body))
	}
	return nil
}
