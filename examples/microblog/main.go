// Microblog is a twitter-like application whose pages update themselves: the complete example of Feedmill.
//
// Without any settings everything is in this process: posts and feeds in an SQLite file, and no broker between them. Each
// part can be a server instead:
//
//	microblog -mysql-dsn 'root:secret@tcp(localhost:3306)/microblog' \
//	          -mongo-uri mongodb://localhost:27017/microblog -nats-url nats://localhost:4222
//
// or all of posts and feeds in one PostgreSQL database, by -postgres-dsn postgres://user:secret@localhost/microblog.
//
// microblog -help has the other commands, which work on the same parts, and all flags. The README walks through the code in
// the order of the data.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/demo"
	"github.com/feedmill/feedmill/examples/microblog/live"
	"github.com/feedmill/feedmill/examples/microblog/stack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "microblog:", err)
		stop()
		os.Exit(exitCode(os.Args[1:], err))
	}
}

// exitCode of audit is that of diff: 1 for a difference, 2 for a failure. For a health check Docker knows no 2.
func exitCode(args []string, err error) int {
	if len(args) > 0 && args[0] == "audit" && !errors.Is(err, operate.ErrDrift) {
		return 2
	}
	return 1
}

// commands are those of help.txt.
func commands() []string {
	return strings.Fields("serve seed rebuild audit purge backlog parked unpark discard poison replay remove healthcheck")
}

// run writes what a command found to results, and everything else, such as how far it is, to log.
func run(ctx context.Context, args []string, env func(string) string, results, log io.Writer) error {
	command := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	if !slices.Contains(commands(), command) {
		return fmt.Errorf("unknown command %q: microblog -help lists the commands", command)
	}
	set, err := parse(command, args, env, log)
	if err != nil {
		return err
	}
	switch command {
	case "serve":
		return serve(ctx, set, set.logger(log), results)
	case "healthcheck":
		return feedmill.CheckReady(ctx, "http://"+set.addr+"/readyz")
	case "seed":
		return seed(ctx, set, results, log)
	default:
		return runOperate(ctx, set, results, log)
	}
}

// serve opens the parts, puts them together, and runs them until ctx ends.
func serve(ctx context.Context, set settings, logger *slog.Logger, results io.Writer) (err error) {
	parts, err := stack.Open(ctx, set.stack, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	parts.Limits = set.limits
	if set.spans {
		exporter, err := otlptracehttp.New(ctx) // it reads the OTEL_ variables
		if err != nil {
			return fmt.Errorf("export traces by OTLP: %w", err)
		}
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("OpenTelemetry", slog.Any("err", err)) }))
		parts.Spans = append(parts.Spans, sdktrace.NewBatchSpanProcessor(exporter))
	}
	if set.demo {
		parts.Demo = &demo.Times{}
	}
	listener, url, err := listen(ctx, set.addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // unless Run has closed it
	if set.opsAddr != "" {
		operators, url, err := listen(ctx, set.opsAddr)
		if err != nil {
			return err
		}
		defer func() { _ = operators.Close() }()
		parts.Operators = operators
		logger.Info("Operators find their page", slog.String("url", url))
	}
	microblog, err := app.New(parts.Parts, logger) //nolint:contextcheck // it starts nothing; a stream has the context of its request
	if err != nil {
		return err
	}
	if set.stack.MySQLDSN == "" && set.stack.PostgresDSN == "" { // a database on a server may be for other posts
		if err := live.Welcome(ctx, parts.Posts); err != nil {
			return err
		}
	}
	logger.LogAttrs(ctx, slog.LevelInfo, "Microblog is up", append([]slog.Attr{slog.String("url", url)}, parts.Runs...)...)
	fmt.Fprintf(results, "\n  Open %s\n\n", url)
	err = microblog.Run(ctx, listener)
	logger.Info("Microblog has stopped")
	return err
}

// listen also returns the URL by which this machine reaches the listener.
func listen(ctx context.Context, addr string) (listener net.Listener, url string, err error) {
	listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, "", fmt.Errorf("listen on %s: %w", addr, err)
	}
	return listener, "http://" + strings.NewReplacer("[::]", "localhost", "0.0.0.0", "localhost").Replace(listener.Addr().String()), nil
}

// runOperate runs a command that works on the parts, beside microblogs that serve, as far as those are on servers.
func runOperate(ctx context.Context, set settings, results, log io.Writer) (err error) {
	set.stack.Existing = true
	parts, err := stack.Open(ctx, set.stack, set.logger(log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	target, err := api.Feeds(parts.Posts, parts.Feeds).Target(feedmill.Config{Outbox: parts.Outbox, Broker: parts.Broker, Live: parts.Live})
	if err != nil {
		return err
	}
	return operate.Run(ctx, set.operate, target, results, log)
}
