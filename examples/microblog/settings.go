package main

import (
	"cmp"
	_ "embed" // the help
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/stack"
)

// help has all commands, and the flags that all of them have.
//
//go:embed help.txt
var help string

func commands() []string {
	return strings.Fields("serve seed rebuild audit purge backlog parked unpark discard poison replay remove healthcheck")
}

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
	flags.Usage = func() { usage(command, flags, output) }
	variable := func(name string) string {
		return env("MICROBLOG_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
	}
	text := func(into *string, name, value string) { flags.StringVar(into, name, cmp.Or(variable(name), value), "") }
	var level, format, writes, replicas string
	text(&set.addr, "addr", ":8080")
	text(&set.opsAddr, "operations-addr", "")
	text(&writes, "write-rate", "50")
	text(&set.limits.ClientHeader, "client-header", "")
	flags.BoolVar(&set.demo, "demo", variable("demo") == "true", "")
	text(&set.stack.DataDir, "data-dir", "data")
	text(&set.stack.MySQLDSN, "mysql-dsn", "")
	text(&set.stack.MongoURI, "mongo-uri", "")
	text(&set.stack.NATSURL, "nats-url", "")
	text(&replicas, "nats-replicas", "")
	text(&level, "log-level", "info")
	text(&format, "log-format", "text")
	if command == "seed" {
		flags.IntVar(&set.posts, "posts", 1000, "number of posts to write")
	}
	set.operate.Name = command
	if err := set.operate.Parse(flags, args); err != nil {
		return set, err
	}
	if set.limits.Writes, err = strconv.ParseFloat(writes, 64); err != nil || set.limits.Writes < 0 {
		return set, fmt.Errorf("write rate %q: it must be a number, 0 or more", writes)
	}
	if set.stack.NATSReplicas, err = strconv.Atoi(cmp.Or(replicas, "0")); err != nil {
		return set, fmt.Errorf("NATS replicas %q: it must be a number", replicas)
	}
	if err := set.log.UnmarshalText([]byte(level)); err != nil {
		return set, fmt.Errorf("log level: %w", err)
	}
	if set.json = format == "json"; !set.json && format != "text" {
		return set, fmt.Errorf("log format %q: it must be text or json", format)
	}
	if set.posts < 0 {
		return set, errors.New("posts: the number must be 0 or more")
	}
	endpoint := cmp.Or(env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), env("OTEL_EXPORTER_OTLP_ENDPOINT"))
	set.spans = endpoint != "" && env("OTEL_TRACES_EXPORTER") != "none" && env("OTEL_SDK_DISABLED") != "true"
	return set, nil
}

// usage writes the help, with the flags that belong to the command.
func usage(command string, flags *flag.FlagSet, output io.Writer) {
	before, after, _ := strings.Cut(help, "Serving:")
	fmt.Fprint(output, before)
	own := ""
	flags.VisitAll(func(f *flag.Flag) {
		if f.Usage != "" { // the help has the others
			own += fmt.Sprintf("  -%s  %s (%s)\n", f.Name, f.Usage, f.DefValue)
		}
	})
	if own != "" {
		fmt.Fprintf(output, "Of microblog %s:\n%s\n", command, own)
	}
	fmt.Fprint(output, "Serving:", after)
}

// logger returns the logger that the settings choose.
func (s settings) logger(output io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.log}
	if s.json {
		return slog.New(slog.NewJSONHandler(output, options))
	}
	return slog.New(slog.NewTextHandler(output, options))
}
