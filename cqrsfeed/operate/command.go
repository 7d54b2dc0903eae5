package operate

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// Command is one of the commands with its arguments:
//
//	rebuild [-after ID]        applies what the read model lacks of the write model, see readmodel.Rebuild
//	rebuild -clear             clears the read model first, see Target.Clear
//	audit [-repair]            compares the two, see readmodel.Audit
//	purge -older-than 2160h    removes tombstones and empty feeds that are older, see readmodel.Purge
//	backlog                    counts the waiting messages: in the outbox by topic, at the broker by projection
//	parked                     lists the parked messages of the outbox
//	unpark -all | ID...        returns parked messages to the outbox, from which they are published within a second
//	discard ID...              deletes parked messages for good
//	poison                     lists the messages of the poison topic
//	replay -all | ID...        publishes messages of the poison topic again, see projector.Replay, and removes them from it
//	remove ID...               deletes messages of the poison topic for good
type Command struct {
	Name   string
	After  string // of rebuild
	Clear  bool   // of rebuild
	Repair bool   // of audit
	// OlderThan of purge is how long ago an item must have been deleted, or a feed have become empty.
	OlderThan time.Duration
	All       bool     // of unpark and replay
	IDs       []string // of unpark, discard, replay and remove
}

// Parse adds the command's own flags to flags, parses args with them, and checks the arguments. An unknown command has neither
// flags nor arguments.
func (c *Command) Parse(flags *flag.FlagSet, args []string) error {
	switch c.Name {
	case "rebuild":
		flags.StringVar(&c.After, "after", c.After, "ID of the item to begin after, as a rebuild that was stopped printed it")
		flags.BoolVar(&c.Clear, "clear", c.Clear, "clear the read model before, and rebuild it from nothing: readers see only a part of it meanwhile")
	case "audit":
		flags.BoolVar(&c.Repair, "repair", c.Repair, "correct what differs")
	case "purge":
		flags.DurationVar(&c.OlderThan, "older-than", c.OlderThan,
			"how long ago, such as 2160h: longer than any message can be late, also parked or in a poison topic")
	case "unpark":
		flags.BoolVar(&c.All, "all", c.All, "return all parked messages")
	case "replay":
		flags.BoolVar(&c.All, "all", c.All, "replay all messages of the poison topic")
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch c.Name {
	case "unpark", "replay", "discard", "remove":
		return c.parseIDs(flags.Args())
	}
	if c.Name == "purge" && c.OlderThan <= 0 {
		return errors.New("purge: say by -older-than how long ago what is removed was deleted, such as 2160h for 90 days: " +
			"longer than any message can be late, also parked or in a poison topic")
	}
	if c.Clear && c.After != "" {
		return errors.New("-after and -clear cannot be combined: a rebuild that clears begins with the first item")
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: the command comes first, then its flags", flags.Arg(0))
	}
	return nil
}

// parseIDs takes the arguments of a command on messages.
func (c *Command) parseIDs(ids []string) error {
	for _, id := range ids {
		if strings.HasPrefix(id, "-") {
			return fmt.Errorf("%s follows an ID: put flags before the IDs", id)
		}
	}
	c.IDs = ids
	list := "parked"
	if c.Name == "replay" || c.Name == "remove" {
		list = "poison"
	}
	takesAll := c.Name == "unpark" || c.Name == "replay"
	switch {
	case takesAll && c.All == (len(ids) > 0):
		return fmt.Errorf("%s: name messages by the IDs that %s lists, or use -all", c.Name, list)
	case !takesAll && len(ids) == 0:
		return fmt.Errorf("%s: name messages by the IDs that %s lists", c.Name, list)
	}
	return nil
}

// Target is what commands work on. The application may serve meanwhile.
type Target[T any] struct {
	// Source, Store and FeedsOf are those of readmodel.RebuildConfig. If Source has a method
	// CountItems(context.Context) (int64, error), as repositories on SQL have, a rebuild shows how much is left.
	Source  readmodel.Source[T]
	Store   readmodel.Store[T]
	FeedsOf func(cqrsfeed.Item[T]) []string
	// RuleVersion is that of readmodel.RebuildConfig.
	RuleVersion int64
	// Clear empties Store and what was made from it. A rebuild from nothing calls it first. It is for a table projection,
	// whose tables no rebuild reads:
	//
	//	Clear: func(ctx context.Context) error { return leaderboard.Clear(ctx, clearVotes) }
	//
	// Defaults to none: then a rebuild from nothing is refused.
	Clear func(ctx context.Context) error
	// AlsoStores are the other read models of the Source. A purge removes tombstones from all of them.
	AlsoStores []readmodel.Store[T]
	// Publisher and UpdatesTopic announce the feeds that changed. Without them, open pages change when they load again.
	// Publisher also replays messages of the poison topic.
	Publisher    message.Publisher
	UpdatesTopic string
	// Outbox has the parked messages.
	Outbox outbox.Outbox
	// AtBroker has the backlogs of projections at a broker. Defaults to none.
	AtBroker []AtBroker
	// Poison has the messages that projectors have set aside. Defaults to none.
	Poison projector.PoisonQueue
}

// AtBroker reads the backlog of a projection at a broker. The projection may run in other processes.
type AtBroker struct {
	// Projection is the name of the projection, and Topics are its topics.
	Projection string
	Topics     []string
	// Subscriber has the configuration of the projection's processes. It need not be subscribed.
	Subscriber projector.Backlogger
}

// Run runs a command. It writes results to results and its progress to progress, a line now and then.
// The error is ErrDrift after an audit that leaves a difference, and ErrNotParked or ErrNotPoison for IDs of other messages.
func Run[T any](ctx context.Context, c Command, target Target[T], results, progress io.Writer) error {
	shown := &progressLines{output: progress}
	switch c.Name {
	case "rebuild":
		if c.Clear {
			return target.work(ctx, workRemake, "", results, shown)
		}
		return target.work(ctx, workRebuild, c.After, results, shown)
	case "audit":
		if c.Repair {
			return target.work(ctx, workRepair, "", results, shown)
		}
		return target.work(ctx, workAudit, "", results, shown)
	case "purge":
		return target.purge(ctx, time.Now().Add(-c.OlderThan), results)
	case "backlog", "parked", "unpark", "discard":
		if target.Outbox == nil {
			return errors.New("no outbox is configured")
		}
		if c.Name != "backlog" {
			return c.decide(ctx, parkedIn(target.Outbox), results)
		}
		if err := backlog(ctx, target.Outbox, results); err != nil {
			return err
		}
		return atBroker(ctx, target.AtBroker, results)
	case "poison", "replay", "remove":
		if target.Poison == nil {
			return errors.New("no poison topic is configured that can be read: only some brokers have one")
		}
		if c.Name == "replay" && target.Publisher == nil {
			return errors.New("replay: there is no publisher")
		}
		return c.decide(ctx, poisonIn(target.Poison, target.Publisher), results)
	}
	return fmt.Errorf("unknown command %q", c.Name)
}

// decide lists messages, or does something with them.
func (c Command) decide(ctx context.Context, messages holder, results io.Writer) error {
	if _, ok := messages.actions[c.Name]; !ok {
		return messages.print(ctx, results)
	}
	_, result, err := messages.settle(ctx, c.Name, c.IDs, c.All)
	if result != "" {
		fmt.Fprintln(results, result)
	}
	return err
}
