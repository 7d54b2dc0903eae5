// Microblog is a twitter-like application whose pages update themselves: the complete example of Feedmill.
//
// Without any settings everything is in this process: posts and feeds in an SQLite file, and no broker between them. Each
// part can be a server instead:
//
//	microblog -mysql-dsn 'root:secret@tcp(localhost:3306)/microblog' \
//	          -mongo-uri mongodb://localhost:27017/microblog -nats-url nats://localhost:4222
//
// Every flag can also be set by environment, as MICROBLOG_MYSQL_DSN for -mysql-dsn. Flags win.
//
// With the same settings, microblog rebuild makes the feeds anew from the posts, and microblog audit compares
// them with the posts, both while other microblogs serve. So do microblog parked, unpark and discard, which list the
// events that were refused, return them to the outbox, and give them up.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/examples/microblog/app"
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

const commands = "serve (the default), rebuild, audit, parked, unpark, discard and healthcheck"

// settings is what the command can be told.
type settings struct {
	addr     string
	logLevel slog.Level
	stack    stack.Config
	after    string   // of rebuild
	repair   bool     // of audit
	all      bool     // of unpark
	ids      []string // of unpark and discard
}

// run writes what a command found to results, and everything else, such as how far it is, to log.
func run(ctx context.Context, args []string, env func(string) string, results, log io.Writer) error {
	name := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	set, err := parse(name, args, env, log)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: set.logLevel}))
	switch name {
	case "serve":
		return serve(ctx, set, logger)
	case "healthcheck":
		return healthcheck(ctx, set.addr)
	case "rebuild", "audit", "parked", "unpark", "discard":
		return command(ctx, name, set, logger, results, log)
	}
	return fmt.Errorf("unknown command %q: there are %s", name, commands)
}

func parse(command string, args []string, env func(string) string, output io.Writer) (set settings, err error) {
	flags := flag.NewFlagSet("microblog "+command, flag.ContinueOnError)
	flags.SetOutput(output)
	flags.Usage = func() {
		fmt.Fprintf(output, "usage: microblog [command] [flags] [ids]\nCommands are %s.\nFlags of microblog %s:\n", commands, command)
		flags.PrintDefaults()
	}
	text := func(into *string, name, value, usage string) {
		variable := "MICROBLOG_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		flags.StringVar(into, name, cmp.Or(env(variable), value), usage+" ["+variable+"]")
	}
	var level string
	text(&set.addr, "addr", ":8080", "address to serve on")
	text(&set.stack.DataDir, "data-dir", "data", "folder for the files of the embedded parts")
	text(&set.stack.MySQLDSN, "mysql-dsn", "", "MySQL or MariaDB database for the posts; empty: embedded SQLite")
	text(&set.stack.MongoURI, "mongo-uri", "", "MongoDB database for the feeds; empty: embedded SQLite")
	text(&set.stack.NATSURL, "nats-url", "", "NATS server with JetStream for several instances; empty: none, one instance")
	text(&level, "log-level", "info", "debug, info, warn or error")
	switch command {
	case "rebuild":
		flags.StringVar(&set.after, "after", "", "id of the post to begin after, as a rebuild that was stopped printed it")
	case "audit":
		flags.BoolVar(&set.repair, "repair", false, "correct what differs")
	case "unpark":
		flags.BoolVar(&set.all, "all", false, "return all events that are parked")
	}
	if err := flags.Parse(args); err != nil {
		return set, err
	}
	if err := set.logLevel.UnmarshalText([]byte(level)); err != nil {
		return set, fmt.Errorf("log level: %w", err)
	}
	if command == "unpark" || command == "discard" {
		set.ids = flags.Args()
		for _, id := range set.ids {
			if strings.HasPrefix(id, "-") {
				return set, fmt.Errorf("%s comes behind an id: flags come first", id)
			}
		}
	} else if flags.NArg() > 0 {
		return set, fmt.Errorf("unexpected argument %q: the command comes first, then its flags", flags.Arg(0))
	}
	return set, nil
}

func serve(ctx context.Context, set settings, logger *slog.Logger) (err error) {
	parts, err := stack.Open(ctx, set.stack, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()

	microblog, err := app.New(parts.Parts, logger)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", set.addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", set.addr, err)
	}
	logger.LogAttrs(ctx, slog.LevelInfo, "Microblog is up", append([]slog.Attr{slog.String("url", urlOf(listener.Addr()))}, parts.Runs...)...)
	err = microblog.Run(ctx, listener)
	logger.Info("Microblog has stopped")
	return err
}

// urlOf is what to type into a browser on this machine.
func urlOf(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// healthcheck returns nil if a microblog on this machine is ready. It is a command because a small image has no other HTTP
// client.
func healthcheck(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("read address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("ask whether the microblog is ready: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask whether the microblog is ready: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return fmt.Errorf("read the response: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", body)
	}
	return nil
}
