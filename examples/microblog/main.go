// Microblog is a twitter-like application whose pages update themselves: the complete example of Feedmill.
//
// Without any settings everything is embedded: posts and feeds in an SQLite file, events in a NATS server
// within the process. Each part can be a server instead:
//
//	microblog -mysql-dsn 'root:secret@tcp(localhost:3306)/microblog' \
//	          -mongo-uri mongodb://localhost:27017/microblog -nats-url nats://localhost:4222
//
// Every flag can also be set by environment, as MICROBLOG_MYSQL_DSN for -mysql-dsn. Flags win.
//
// With the same settings, microblog rebuild makes the feeds anew from the posts, and microblog audit compares
// them with the posts, both while other microblogs serve. So do microblog parked, unpark and discard, which list the
// events that the broker refused, return them to the outbox, and give them up.
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
	"strings"
	"syscall"

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

// exitCode of audit is that of diff: 1 for a difference, 2 for trouble. The others have one kind of failure, and for a
// health check Docker knows no 2.
func exitCode(args []string, err error) int {
	if len(args) > 0 && args[0] == "audit" && !errors.Is(err, errDiffer) {
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
	command := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	set, err := parse(command, args, env, log)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: set.logLevel}))
	switch command {
	case "serve":
		return serve(ctx, set, logger)
	case "healthcheck":
		return healthcheck(ctx, set.addr)
	case "rebuild":
		return rebuild(ctx, set, logger, results, log)
	case "audit":
		return audit(ctx, set, logger, results)
	case "parked":
		return listParked(ctx, set, logger, results)
	case "unpark":
		return unpark(ctx, set, logger, results)
	case "discard":
		return discard(ctx, set, logger, results)
	}
	return fmt.Errorf("unknown command %q: there are %s", command, commands)
}

func parse(command string, args []string, env func(string) string, output io.Writer) (settings, error) {
	var set settings
	flags := flag.NewFlagSet("microblog "+command, flag.ContinueOnError)
	flags.SetOutput(output)
	flags.Usage = func() {
		fmt.Fprintf(output, "usage: microblog [command] [flags] [ids]\nCommands are %s.\nFlags of microblog %s:\n", commands, command)
		flags.PrintDefaults()
	}
	variable := func(name string) string { return "MICROBLOG_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }
	text := func(into *string, name, value, usage string) {
		if set := env(variable(name)); set != "" {
			value = set
		}
		flags.StringVar(into, name, value, usage+" ["+variable(name)+"]")
	}
	text(&set.addr, "addr", ":8080", "address to serve on")
	text(&set.stack.DataDir, "data-dir", "data", "folder for the files of the embedded parts")
	text(&set.stack.MySQLDSN, "mysql-dsn", "", "MySQL or MariaDB database for the posts; empty: embedded SQLite")
	text(&set.stack.MongoURI, "mongo-uri", "", "MongoDB database for the feeds; empty: embedded SQLite")
	text(&set.stack.NATSURL, "nats-url", "", "NATS server with JetStream for the events; empty: embedded NATS")
	switch command {
	case "rebuild":
		flags.StringVar(&set.after, "after", "", "id of the post to begin after, as a rebuild that was stopped printed it")
	case "audit":
		flags.BoolVar(&set.repair, "repair", false, "correct what differs")
	case "unpark":
		flags.BoolVar(&set.all, "all", false, "return all events that are parked")
	}
	var level string
	text(&level, "log-level", "info", "debug, info, warn or error")
	if err := flags.Parse(args); err != nil {
		return settings{}, err
	}
	switch {
	case flags.NArg() == 0:
	case command == "unpark" || command == "discard":
		set.ids = flags.Args()
		for _, id := range set.ids {
			if strings.HasPrefix(id, "-") {
				return settings{}, fmt.Errorf("%s comes behind an id: flags come first", id)
			}
		}
	default:
		return settings{}, fmt.Errorf("unexpected argument %q: the command comes first, then its flags", flags.Arg(0))
	}
	if err := set.logLevel.UnmarshalText([]byte(level)); err != nil {
		return settings{}, fmt.Errorf("log level: %w", err)
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
