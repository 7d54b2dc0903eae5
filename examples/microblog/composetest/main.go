// Composetest changes posts on a running microblog while the servers below it are restarted and killed, one after the
// other, and then checks that nothing that was accepted is missing, wrong or there twice:
//
//	composetest -url http://localhost:8080 -- docker-compose -p PROJECT
//
// What follows the flags is the compose command of the stack. The script compose-test brings such a stack up and runs
// this against it. The exit code is 1 when something was lost or did not come back by itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "composetest:", err)
		os.Exit(1)
	}
}

// startTimeout bounds the wait for the stack, when it was just started.
const startTimeout = 2 * time.Minute

func run(ctx context.Context, args []string, output io.Writer) error {
	flags := flag.NewFlagSet("composetest", flag.ContinueOnError)
	url := flags.String("url", "http://localhost:8080", "where the microblog is served")
	rate := flags.Int("rate", 20, "changes a second")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 || *rate < 1 {
		return errors.New("need the compose command behind the flags, and a positive rate")
	}
	t := newTest(*url, flags.Args(), output)
	began := time.Now()
	if err := t.awaitReady(ctx, startTimeout); err != nil {
		return err
	}
	t.say("ready after %s", since(began))
	if err := t.latency(ctx); err != nil {
		return err
	}
	if err := t.faults(ctx, *rate); err != nil {
		return err
	}
	return t.downAndUp(ctx)
}

// test is one run against one stack.
type test struct {
	client  *client
	compose []string
	output  io.Writer
	posts   *ledger
	streams []*follower
}

func newTest(url string, compose []string, output io.Writer) *test {
	c := newClient(url)
	return &test{
		client: c, compose: compose, output: output, posts: newLedger(),
		streams: []*follower{newFollower(c, "/api/feeds"), newFollower(c, "/api/feeds/"+probeTag), newFollower(c, "/api/feeds/"+tag(0))},
	}
}

func (t *test) say(format string, args ...any) {
	fmt.Fprintf(t.output, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

func since(began time.Time) time.Duration { return time.Since(began).Round(100 * time.Millisecond) }

func (t *test) awaitReady(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		status, body, err := t.client.do(ctx, "GET", "/readyz", nil)
		if err == nil && status == 200 {
			return nil
		}
		if !pause(ctx, 100*time.Millisecond) {
			return fmt.Errorf("the microblog is not ready within %s: %w, status %d: %s", limit, errors.Join(err), status, body)
		}
	}
}

// pause says whether ctx lasted so long.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
