package main

import (
	"cmp"
	_ "embed" // the help
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/stack"
)

// help has all commands and flags.
//
//go:embed help.txt
var help string

// settings is what the command can be told.
type settings struct {
	addr    string
	opsAddr string
	demo    bool
	limits  app.Limits
	stack   stack.Config
	log     slog.Level
	json    bool // the log
	spans   bool // are sent by OTLP
	posts   int  // of seed
	operate operate.Command
}

// parse reads the settings of a command from its flags and the environment. Flags win.
func parse(command string, args []string, env func(string) string, output io.Writer) (set settings, err error) {
	flags := flag.NewFlagSet("microblog "+command, flag.ContinueOnError)
	flags.SetOutput(output)
	flags.Usage = func() { fmt.Fprint(output, help) }
	text := func(into *string, name, value string) { flags.StringVar(into, name, value, "") }
	var format string
	text(&set.addr, "addr", ":8080")
	text(&set.opsAddr, "operations-addr", "")
	flags.Float64Var(&set.limits.Writes, "write-rate", 50, "")
	text(&set.limits.ClientHeader, "client-header", "")
	flags.BoolVar(&set.demo, "demo", false, "")
	text(&set.stack.DataDir, "data-dir", "data")
	text(&set.stack.PostgresDSN, "postgres-dsn", "")
	text(&set.stack.PostgresListenDSN, "postgres-listen-dsn", "")
	text(&set.stack.MySQLDSN, "mysql-dsn", "")
	text(&set.stack.MongoURI, "mongo-uri", "")
	text(&set.stack.NATSURL, "nats-url", "")
	flags.IntVar(&set.stack.NATSReplicas, "nats-replicas", 0, "")
	flags.TextVar(&set.log, "log-level", slog.LevelInfo, "")
	text(&format, "log-format", "text")
	wrong := map[string]error{}
	flags.VisitAll(func(f *flag.Flag) { // of those that all commands have
		variable := "MICROBLOG_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value := env(variable); value != "" {
			if err := flags.Set(f.Name, value); err != nil {
				wrong[f.Name] = fmt.Errorf("%s is %q: %w", variable, value, err)
			}
		}
	})
	if command == "seed" {
		flags.IntVar(&set.posts, "posts", 1000, "")
	}
	set.operate.Name = command
	if err := set.operate.Parse(flags, args); err != nil {
		return set, err
	}
	flags.Visit(func(f *flag.Flag) { delete(wrong, f.Name) })
	flags.VisitAll(func(f *flag.Flag) { err = errors.Join(err, wrong[f.Name]) })
	if err != nil {
		return set, err
	}
	set.json = format == "json"
	switch {
	case !set.json && format != "text":
		return set, fmt.Errorf("log format %q: it must be text or json", format)
	case set.limits.Writes < 0:
		return set, fmt.Errorf("write rate %v: it must be 0 or more", set.limits.Writes)
	case set.posts < 0:
		return set, errors.New("posts: the number must be 0 or more")
	}
	endpoint := cmp.Or(env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), env("OTEL_EXPORTER_OTLP_ENDPOINT"))
	set.spans = endpoint != "" && env("OTEL_TRACES_EXPORTER") != "none" && env("OTEL_SDK_DISABLED") != "true"
	return set, nil
}

// logger returns the logger that the settings choose.
func (s settings) logger(output io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.log}
	if s.json {
		return slog.New(slog.NewJSONHandler(output, options))
	}
	return slog.New(slog.NewTextHandler(output, options))
}
