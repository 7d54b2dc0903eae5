// Composetest changes posts on a running microblog while its servers are restarted and killed, one after the other. It then
// checks that every accepted change is there, once and correct:
//
//	composetest -url http://localhost:8080 -- docker-compose -p PROJECT
//
// With -scale the stack has several microblogs behind a proxy, and several nodes of NATS, of which one after the other is away.
// With -postgres the stack has several microblogs on one PostgreSQL, of which one after the other is away.
// The arguments after the flags are the compose command of the stack. The script compose-test starts a stack and runs this
// program. The exit code is 1 if a change was lost or a service did not recover.
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

// startTimeout limits the wait for a stack that was just started.
const startTimeout = 2 * time.Minute

func run(ctx context.Context, args []string, output io.Writer) error {
	flags := flag.NewFlagSet("composetest", flag.ContinueOnError)
	url := flags.String("url", "http://localhost:8080", "address of the microblog")
	scale := flags.Bool("scale", false, "the stack is that of docker-compose.scale.yml")
	postgres := flags.Bool("postgres", false, "the stack is that of docker-compose.postgres.yml")
	rate := flags.Int("rate", 20, "changes a second")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 || *rate < 1 {
		return errors.New("usage: composetest [-url URL] [-scale | -postgres] [-rate N] -- COMPOSE-COMMAND, with a rate of at least 1")
	}
	t := &test{client: newClient(*url), compose: flags.Args(), scale: *scale, postgres: *postgres, output: output, posts: newLedger()}
	began := time.Now()
	if err := t.awaitReady(ctx, startTimeout); err != nil {
		return err
	}
	t.logf("ready after %s", since(began))
	if err := t.latency(ctx); err != nil {
		return err
	}
	if t.scale || t.postgres {
		return t.faults(ctx, *rate, 200)
	}
	if err := t.faults(ctx, *rate, 3); err != nil {
		return err
	}
	return t.downAndUp(ctx)
}

// test is one run against one stack.
type test struct {
	client   *client
	compose  []string
	scale    bool // of several instances
	postgres bool // of several instances on PostgreSQL alone
	output   io.Writer
	posts    *ledger
	streams  []*follower
}

func (t *test) logf(format string, args ...any) {
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
			return fmt.Errorf("wait for the microblog: not ready within %s, status %d: %s: %w", limit, status, body, errors.Join(err, ctx.Err()))
		}
	}
}

// pause waits, and reports false if ctx ended meanwhile.
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
