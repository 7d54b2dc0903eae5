package releasestest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Add has a release that knows a field more.
func Add(t *testing.T, old Release[Note], next Release[NoteWithStars]) {
	t.Helper()
	next.create(t, "a", NoteWithStars{Text: "a", Stars: 5})
	old.create(t, "b", Note{Text: "b"})
	require.Empty(t, old.project(t)) // the old release must not drop the field in the feed
	next.requireBodies(t, map[string]NoteWithStars{"a": {Text: "a", Stars: 5}, "b": {Text: "b"}})
	old.update(t, "a", func(n *Note) { n.Text = "changed" }) // nor in the write model
	next.update(t, "b", func(n *NoteWithStars) { n.Stars = 1 })
	require.Empty(t, old.project(t))
	next.requireBodies(t, map[string]NoteWithStars{"a": {Text: "changed", Stars: 5}, "b": {Text: "b", Stars: 1}})
	old.requireBodies(t, map[string]Note{"a": {Text: "changed"}, "b": {Text: "b"}})
	old.requireNoDrift(t)
	next.requireNoDrift(t)

	old.importCopy(t, "a", "c") // nor when it takes over items of another repository
	old.requireNoDrift(t)
	next.requireBodies(t, map[string]NoteWithStars{
		"a": {Text: "changed", Stars: 5}, "b": {Text: "b", Stars: 1}, "c": {Text: "changed", Stars: 5},
	})
	next.requireNoDrift(t)
}

// Remove has a release that no longer knows a field. When no other release is left, the last one removes what is stored of it.
func Remove(t *testing.T, old Release[NoteWithStars], next Release[Note], last Release[NoteWithoutStars]) {
	t.Helper()
	old.create(t, "a", NoteWithStars{Text: "a", Stars: 5})
	next.create(t, "b", Note{Text: "b"})
	next.update(t, "a", func(n *Note) { n.Text = "changed" })
	require.Empty(t, next.project(t))
	old.requireBodies(t, map[string]NoteWithStars{"a": {Text: "changed", Stars: 5}, "b": {Text: "b"}})
	next.requireNoDrift(t)

	last.rewrite(t)
	require.Empty(t, next.project(t))
	old.requireBodies(t, map[string]NoteWithStars{"a": {Text: "changed"}, "b": {Text: "b"}})
	last.requireNoDrift(t)
}

// Rename has two steps. In each one the release before runs beside the one that follows it.
func Rename(t *testing.T, old Release[Note], reads Release[NoteReadsTitle], writes Release[NoteWithTitle]) {
	t.Helper()
	old.create(t, "a", Note{Text: "a"})
	reads.create(t, "b", NoteReadsTitle{Text: "b"})
	reads.update(t, "a", func(n *NoteReadsTitle) { n.Text += "1" })
	old.update(t, "b", func(n *Note) { n.Text += "1" })
	require.Empty(t, old.project(t))
	old.requireBodies(t, map[string]Note{"a": {"a1"}, "b": {"b1"}})
	reads.requireBodies(t, map[string]NoteReadsTitle{"a": {"a1"}, "b": {"b1"}})

	writes.create(t, "c", NoteWithTitle{Title: "c"})
	writes.update(t, "a", func(n *NoteWithTitle) { n.Title += "2" })
	reads.update(t, "c", func(n *NoteReadsTitle) { n.Text += "2" })
	reads.update(t, "a", func(n *NoteReadsTitle) { n.Text += "3" })
	writes.update(t, "c", func(n *NoteWithTitle) { n.Title += "3" })
	require.Empty(t, reads.project(t))
	reads.requireBodies(t, map[string]NoteReadsTitle{"a": {"a123"}, "b": {"b1"}, "c": {"c23"}})
	writes.requireBodies(t, map[string]NoteWithTitle{"a": {"a123"}, "b": {"b1"}, "c": {"c23"}})
	reads.requireNoDrift(t)
	writes.requireNoDrift(t)
}

// Retype has two steps, as Rename.
func Retype(t *testing.T, old Release[Task], reads Release[TaskReadsNames], writes Release[TaskWithNames]) {
	t.Helper()
	old.create(t, "a", Task{"a", 1})
	reads.create(t, "b", TaskReadsNames{"b", 0})
	old.update(t, "b", func(n *Task) { n.Priority = 1 })
	require.Empty(t, old.project(t))
	reads.requireBodies(t, map[string]TaskReadsNames{"a": {"a", 1}, "b": {"b", 1}})

	writes.create(t, "c", TaskWithNames{"c", "high"})
	writes.update(t, "a", func(n *TaskWithNames) { n.Priority = "low" })
	reads.update(t, "b", func(n *TaskReadsNames) { n.Text = "changed" })
	require.Empty(t, reads.project(t))
	reads.requireBodies(t, map[string]TaskReadsNames{"a": {"a", 0}, "b": {"changed", 1}, "c": {"c", 1}})
	writes.requireBodies(t, map[string]TaskWithNames{"a": {"a", "low"}, "b": {"changed", "high"}, "c": {"c", "high"}})
	reads.requireNoDrift(t)
	writes.requireNoDrift(t)
}

// ExpandAndContract goes from one form to another, where both can be written beside each other.
func ExpandAndContract(t *testing.T, old Release[Person], both Release[PersonExpanded], last Release[PersonContracted]) {
	t.Helper()
	old.create(t, "a", Person{"Ada Byron"})
	both.create(t, "g", PersonExpanded{"Grace Murray", "Grace", "Murray"})
	both.update(t, "a", func(p *PersonExpanded) { p.Name, p.Last = "Ada King", "King" })
	old.update(t, "g", func(p *Person) { p.Name = "Grace Hopper" })
	require.Empty(t, old.project(t))
	old.requireBodies(t, map[string]Person{"a": {"Ada King"}, "g": {"Grace Hopper"}})
	both.requireBodies(t, map[string]PersonExpanded{"a": {"Ada King", "Ada", "King"}, "g": {"Grace Hopper", "Grace", "Hopper"}})

	last.create(t, "k", PersonContracted{"Katherine", "Coleman"})
	last.update(t, "a", func(p *PersonContracted) { p.Last = "Lovelace" })
	both.update(t, "k", func(p *PersonExpanded) { p.Name, p.Last = "Katherine Johnson", "Johnson" })
	require.Empty(t, both.project(t))
	both.requireBodies(t, map[string]PersonExpanded{
		"a": {"Ada Lovelace", "Ada", "Lovelace"}, "g": {"Grace Hopper", "Grace", "Hopper"}, "k": {"Katherine Johnson", "Katherine", "Johnson"},
	})
	last.rewrite(t)
	require.Empty(t, both.project(t))
	last.requireBodies(t, map[string]PersonContracted{"a": {"Ada", "Lovelace"}, "g": {"Grace", "Hopper"}, "k": {"Katherine", "Johnson"}})
	last.requireNoDrift(t)
}

// InOneStep changes a type without the step between. Nothing is lost: the old release leaves alone what it cannot decode.
func InOneStep(t *testing.T, old Release[Task], next Release[TaskWithNames]) {
	t.Helper()
	old.create(t, "a", Task{"a", 1})
	next.create(t, "b", TaskWithNames{"b", "high"})
	next.create(t, "c", TaskWithNames{"c", "low"})
	waiting := old.project(t)
	require.Len(t, waiting, 2, "what the old release cannot decode waits, and holds up nothing")
	old.requireBodies(t, map[string]Task{"a": {"a", 1}})
	next.apply(t, waiting...)
	page, err := old.Feeds.Page(t.Context(), feed, "", 100)
	require.NoError(t, err)
	require.Len(t, page.Skipped, 2)
	_, err = old.Notes.Update(t.Context(), "b", func(*Task) error { return nil })
	_, undecodable := errors.AsType[*cqrsfeed.UndecodableError](err)
	require.True(t, undecodable, "%v", err)
	_, err = old.Notes.Delete(t.Context(), "c")
	require.NoError(t, err)
	require.Empty(t, old.project(t), "a tombstone needs no body")
	next.requireBodies(t, map[string]TaskWithNames{"a": {"a", "high"}, "b": {"b", "high"}})
	next.requireNoDrift(t)
}
