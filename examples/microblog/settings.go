package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/stack"
)

// commands returns the commands with what each does.
func commands() [][2]string {
	return [][2]string{
		{"serve", "serves the pages and the API; the default"},
		{"seed", "writes random posts"},
		{"rebuild", "brings into the feeds what they lack of the posts"},
		{"audit", "compares the feeds with the posts"},
		{"purge", "removes what is left of posts that were deleted long ago"},
		{"backlog", "says what waits in the outbox, by topic"},
		{"parked", "lists the events that were refused"},
		{"unpark", "returns refused events to the outbox"},
		{"discard", "deletes refused events"},
		{"poison", "lists the events of the poison topic"},
		{"replay", "publishes events of the poison topic again"},
		{"remove", "deletes events of the poison topic"},
		{"healthcheck", "asks whether a microblog on this machine is ready"},
	}
}

func isCommand(name string) bool {
	return slices.ContainsFunc(commands(), func(c [2]string) bool { return c[0] == name })
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
	text := func(into *string, name, value, usage string) {
		flags.StringVar(into, name, cmp.Or(env(variable(name)), value), usage)
	}
	var level, format, writes, replicas string
	text(&set.addr, "addr", ":8080", "address to serve on")
	text(&set.opsAddr, "operations-addr", "", "address to serve the operators' page on, such as localhost:8081; empty: none")
	text(&writes, "write-rate", "50", "commands a second that one client may send; 0: any number")
	text(&set.limits.ClientHeader, "client-header", "", "header in which a proxy names the client, such as X-Forwarded-For; empty: there is no proxy")
	flags.BoolVar(&set.demo, "demo", env(variable("demo")) == "true", "let who sits at this machine load the microblog and break its parts, at /live")
	text(&set.stack.DataDir, "data-dir", "data", "folder for the files of the embedded parts")
	text(&set.stack.MySQLDSN, "mysql-dsn", "", "MySQL or MariaDB database for the posts; empty: embedded SQLite")
	text(&set.stack.MongoURI, "mongo-uri", "", "MongoDB database for the feeds; empty: embedded SQLite")
	text(&set.stack.NATSURL, "nats-url", "", "NATS server with JetStream for several instances; empty: none, one instance")
	text(&replicas, "nats-replicas", "", "number of NATS servers that store each event, 3 in a cluster; empty: that of the stream, 1 for a new one")
	text(&level, "log-level", "info", "debug, info, warn or error")
	text(&format, "log-format", "text", "text or json")
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

// variable returns the environment variable of a flag.
func variable(flagName string) string {
	return "MICROBLOG_" + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

// logger returns the logger that the settings choose.
func (s settings) logger(output io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.log}
	if s.json {
		return slog.New(slog.NewJSONHandler(output, options))
	}
	return slog.New(slog.NewTextHandler(output, options))
}

// usage writes the commands, and the flags in groups. Those that are in no group belong to the command.
func usage(command string, flags *flag.FlagSet, output io.Writer) {
	fmt.Fprint(output, "Microblog is a twitter-like application whose pages update themselves.\n\nusage: microblog [command] [flags] [ids]\n\nCommands:\n")
	table := tabwriter.NewWriter(output, 0, 0, 2, ' ', 0)
	for _, c := range commands() {
		fmt.Fprintf(table, "  %s\t%s\n", c[0], c[1])
	}
	groups := []struct {
		title string
		names []string
	}{
		{"Serving", []string{"addr", "operations-addr", "write-rate", "client-header", "demo"}},
		{"Parts, each embedded unless it has an address", []string{"data-dir", "mysql-dsn", "mongo-uri", "nats-url", "nats-replicas"}},
		{"Logs", []string{"log-level", "log-format"}},
	}
	var own []string
	flags.VisitAll(func(f *flag.Flag) {
		for _, g := range groups {
			if slices.Contains(g.names, f.Name) {
				return
			}
		}
		own = append(own, f.Name)
	})
	if len(own) > 0 {
		groups = slices.Insert(groups, 0, struct {
			title string
			names []string
		}{"Of microblog " + command, own})
	}
	for _, g := range groups {
		fmt.Fprintf(table, "\n%s:\n", g.title)
		for _, name := range g.names {
			f := flags.Lookup(name)
			value := ""
			if f.DefValue != "" && f.DefValue != "false" {
				value = " (" + f.DefValue + ")"
			}
			fmt.Fprintf(table, "  -%s\t%s%s\n", name, f.Usage, value)
		}
	}
	_ = table.Flush() // a help that nobody sees is no failure
	fmt.Fprintf(output, "\nEach flag but those of a command can be set by environment, as %s for -mysql-dsn; flags win.\n"+
		"Traces are sent by OTLP over HTTP if OTEL_EXPORTER_OTLP_ENDPOINT is set; the other OTEL_ variables hold.\n", variable("mysql-dsn"))
}
