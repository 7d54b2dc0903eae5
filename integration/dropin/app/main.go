// Command app is a small application with live pages, in the shape of Watermill's example "server-sent-events" and
// written for the SSERouter of watermill-http: posts with tags and a feed for every tag in memory, events on a Go
// channel. The test of package dropin builds it twice: as it is, and with ssestream.Router in the SSERouter's place.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
)

func main() {
	address := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *address); err != nil {
		slog.Error("The app failed", "error", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It writes its address to standard output when everything runs.
func run(ctx context.Context, address string) error {
	logger := watermill.NewSlogLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	pubSub := gochannel.NewGoChannel(gochannel.Config{}, logger)
	posts, feeds := newPostStore(), newFeedStore()

	events, err := message.NewRouter(message.RouterConfig{CloseTimeout: 5 * time.Second}, logger)
	if err != nil {
		return fmt.Errorf("create the event router: %w", err)
	}
	addProjection(events, pubSub, feeds)
	streams, handler, err := newStreams(pubSub, api{posts: posts, publisher: pubSub}, feeds, logger)
	if err != nil {
		return err
	}

	failed := make(chan error, 3)
	go func() { failed <- events.Run(context.WithoutCancel(ctx)) }()
	go func() { failed <- streams.Run(context.WithoutCancel(ctx)) }()
	<-events.Running()
	<-streams.Running()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { failed <- server.Serve(listener) }()
	if _, err := fmt.Fprintf(os.Stdout, "http://%s\n", listener.Addr()); err != nil {
		return fmt.Errorf("write the address: %w", err)
	}

	select {
	case err := <-failed:
		return errors.Join(errors.New("a part of the app ended"), err)
	case <-ctx.Done():
	}
	// Streams end first, or the server would wait for them.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(streams.Close(), server.Shutdown(closing), events.Close(), pubSub.Close())
}
