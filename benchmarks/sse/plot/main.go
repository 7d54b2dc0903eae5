//go:build linux

// Command plot measures how many bytes an update of a feed takes, plain and compressed, by the feed's length, and draws that.
//
//	make plot
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/contestant"
	"github.com/feedmill/feedmill/benchmarks/sse/internal/measure"
	"github.com/feedmill/feedmill/benchmarks/sse/internal/server"
)

// longest is the number of posts of the longest feed.
const longest = 200

func main() {
	server.ServeIfAsked()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	output := flag.String("o", "bytes-an-update.svg", "file of the picture")
	flag.Parse()
	lines := []line{
		{label: "plain", colour: "#57606a", contestant: contestant.Feedmill},
		{label: "gzip", colour: "#bc4c00", contestant: contestant.FeedmillGzip},
		{label: "zstd", colour: "#0969da", contestant: contestant.FeedmillZstd},
	}
	for i := range lines {
		for posts := 1; posts <= longest; posts += step(posts) {
			bytes, err := measured(ctx, lines[i].contestant, posts)
			if err != nil {
				return err
			}
			lines[i].points = append(lines[i].points, point{posts: posts, bytes: bytes})
			fmt.Fprintf(os.Stderr, "%s of %d posts: %.0f bytes\n", lines[i].label, posts, bytes)
		}
	}

	return os.WriteFile(*output, draw(lines), 0o644) //nolint:gosec // G306: a picture for everybody
}

// step is small where the lines begin.
func step(posts int) int {
	if posts < 10 {
		return 1
	}

	return 5
}

// envelope is the size of a state without posts.
const envelope = len(`{"feed":"","posts":[],"n":1000000000}`)

// measured returns the bytes of an update that adds a post.
func measured(ctx context.Context, name string, posts int) (float64, error) {
	c := measure.Case{Clients: 20, Size: posts*contestant.PostSize + envelope, Change: contestant.NewPost}
	bench, err := measure.New(ctx, measure.Config{
		Contestants: []string{name}, Rounds: 1, Deliveries: 10 * c.Clients, Sizes: []int{c.Size}, Patience: time.Minute,
	})
	if err != nil {
		return 0, err
	}
	traffic, err := bench.Traffic(ctx, name, c)
	if err == nil && traffic.Bytes == 0 {
		err = errors.New("no bytes")
	}
	if err != nil {
		return 0, fmt.Errorf("measure %s of %d posts: %w", name, posts, err)
	}

	return traffic.Bytes, nil
}
