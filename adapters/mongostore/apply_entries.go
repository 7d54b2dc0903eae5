package mongostore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// writeEntries puts the candidates' entries where they belong and clears away what older versions may have
// left elsewhere. Both are guarded, so neither can undo a newer version's work: an entry is only replaced
// or removed while its version is lower. A crash in between is finished by redelivery, which finds the
// item not done.
func (a *application) writeEntries(ctx context.Context) error {
	a.noteChanges()
	return together(ctx, a.putEntries, a.clearLeftovers)
}

// noteChanges works out which feeds this pass changes, so that their revisions are bumped also when a
// redelivery finds the entries changed already: the first delivery may not have come to the bump.
func (a *application) noteChanges() {
	changed := make(map[string]bool)
	for _, p := range a.plans {
		for _, at := range union(p.toWrite(), p.toClear()) {
			changed[at.feed()] = true
		}
		for _, at := range p.toTell() {
			a.tell[at.feed()] = true
		}
	}
	a.bumped = a.bumped[:0]
	for feed := range changed {
		a.bumped = append(a.bumped, feed)
	}
	slices.Sort(a.bumped)
}

// entry is one entry to be written.
type entry struct {
	key  string
	plan *plan
}

// document is the entry as it is to be.
func (e entry) document() entryDocument {
	return entryDocument{Key: e.key, Version: e.plan.version, Body: e.plan.body, Updated: e.plan.updated}
}

// insert writes the entry if there is none.
func (e entry) insert() mongo.WriteModel { return mongo.NewInsertOneModel().SetDocument(e.document()) }

// upsert writes the entry if there is none, or an older one.
func (e entry) upsert() mongo.WriteModel {
	return upsert(olderThan(e.key, e.plan.version), bson.D{{Key: "$set", Value: bson.D{
		{Key: "v", Value: e.plan.version},
		{Key: "body", Value: e.plan.body},
		{Key: "updated", Value: e.plan.updated},
	}}})
}

// putEntries inserts the entries of items whose record is new, of which there can hardly be any yet, and upserts the
// others.
func (a *application) putEntries(ctx context.Context) error {
	var fresh, others []entry
	for _, p := range a.plans {
		for _, at := range p.toWrite() {
			if e := (entry{at.key(p.id), p}); p.inserted {
				fresh = append(fresh, e)
			} else {
				others = append(others, e)
			}
		}
	}
	byKey := func(a, b entry) int { return strings.Compare(a.key, b.key) }
	slices.SortFunc(fresh, byKey)
	slices.SortFunc(others, byKey)
	return together(ctx,
		func(ctx context.Context) error { return a.put(ctx, fresh, entry.insert) },
		func(ctx context.Context) error { return a.put(ctx, others, entry.upsert) })
}

// put writes entries by how, and by upserts those that lost against existing older ones.
func (a *application) put(ctx context.Context, remaining []entry, how func(entry) mongo.WriteModel) error {
	for round := 0; len(remaining) > 0; round++ {
		if round == maxRounds {
			return fmt.Errorf("entry %q and %d more keep changing under the write", remaining[0].key, len(remaining)-1)
		}
		lost, err := a.putOnce(ctx, remaining, how)
		if err != nil {
			return err
		}
		if remaining, err = a.stillOlder(ctx, lost); err != nil {
			return err
		}
		how = entry.upsert
	}
	return nil
}

// putOnce writes entries and returns those that lost against existing ones.
func (a *application) putOnce(ctx context.Context, entries []entry, how func(entry) mongo.WriteModel) ([]entry, error) {
	writes := make([]write, 0, len(entries))
	for _, e := range entries {
		writes = append(writes, write{model: how(e), size: len(e.plan.body)})
	}
	result, err := writeAll(ctx, a.entries, writes)
	if err != nil {
		return nil, err
	}
	lost := make([]entry, 0, len(result.lost))
	for _, i := range result.lost {
		lost = append(lost, entries[i])
	}
	return lost, nil
}

// stillOlder returns the entries that the store has only in an older version, or not any more: they lost
// against an insert of the same moment rather than against a newer version.
func (a *application) stillOlder(ctx context.Context, entries []entry) ([]entry, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	keys := make([]string, 0, len(entries))
	for _, e := range entries {
		keys = append(keys, e.key)
	}
	versions, err := a.entryVersions(ctx, keys)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(entries, func(e entry) bool {
		return versions[e.key] >= e.plan.version
	}), nil
}

// entryVersions reads the versions of those entries that are there, by their keys.
func (c collections) entryVersions(ctx context.Context, keys []string) (map[string]int64, error) {
	documents, err := findAll[entryDocument](ctx, c.entries, among(keys), versionOnly())
	if err != nil {
		return nil, fmt.Errorf("read %d entries: %w", len(keys), err)
	}
	versions := make(map[string]int64, len(documents))
	for _, document := range documents {
		versions[document.Key] = document.Version
	}
	return versions, nil
}

func (a *application) clearLeftovers(ctx context.Context) error {
	var leftovers []entry
	for _, p := range a.plans {
		for _, at := range p.toClear() {
			leftovers = append(leftovers, entry{at.key(p.id), p})
		}
	}
	slices.SortFunc(leftovers, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	writes := make([]write, 0, len(leftovers))
	for _, e := range leftovers {
		writes = append(writes, write{
			model: mongo.NewDeleteOneModel().SetFilter(olderThan(e.key, e.plan.state.Version)),
		})
	}
	_, err := writeAll(ctx, a.entries, writes)
	return err
}
