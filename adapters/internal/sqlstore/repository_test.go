package sqlstore_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// TestNoChangeWithoutItsEvent breaks the outbox alone.
func TestNoChangeWithoutItsEvent(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.faults.set("INSERT INTO outbox", func(func() error) error { return errDisk })
	_, err := f.repository.Create(t.Context(), "two", "")
	require.ErrorIs(t, err, errDisk)
	_, err = f.repository.Get(t.Context(), "two")
	require.ErrorIs(t, err, cqrsfeed.ErrNotFound)
	_, err = f.repository.Update(t.Context(), "one", appendX)
	require.ErrorIs(t, err, errDisk)
	_, err = f.repository.Delete(t.Context(), "one")
	require.ErrorIs(t, err, errDisk)
	f.requireVersion(t, 1)
}

func TestBodiesThatDoNotDecodeNameTheirItem(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, err := f.db.ExecContext(t.Context(), `UPDATE item SET body = '{"not":"a string"}'`)
	require.NoError(t, err)
	const problem = `decode body of item "one" version 1`
	_, err = f.repository.Get(t.Context(), "one")
	require.ErrorContains(t, err, problem)
	_, err = f.repository.Scan(t.Context(), "", 10)
	require.ErrorContains(t, err, problem)
	_, err = f.repository.Update(t.Context(), "one", appendX)
	require.ErrorContains(t, err, problem)
}

func TestBodiesThatDoNotEncodeAreRefused(t *testing.T) {
	t.Parallel()
	f := open(t)
	functions, err := sqlstore.NewRepository[func()](f.store, "function")
	require.NoError(t, err)
	_, err = functions.Create(t.Context(), "f", func() {})
	_, unsupported := errors.AsType[*json.UnsupportedTypeError](err)
	assert.True(t, unsupported)
	require.ErrorContains(t, err, `create function "f": encode body`)

	raw, err := sqlstore.NewRepository[json.RawMessage](f.store, "raw")
	require.NoError(t, err)
	_, err = raw.Create(t.Context(), "raw", json.RawMessage("\"\xff\""))
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	assert.Zero(t, f.drain(t))
}

// rude is an error with a status of its own.
type rude struct{}

func (rude) Error() string   { return "rude" }
func (rude) HTTPStatus() int { return http.StatusUnprocessableEntity }

// TestChecksRefuseBeforeAnythingIsWritten: what a check refuses on Create or Update is ErrInvalid, whatever it returned,
// and neither the row nor the event is there. Delete is not checked.
func TestChecksRefuseBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	f := open(t)
	errRude := rude{}
	var checked []cqrsfeed.Item[string]
	second := 0
	texts, err := sqlstore.NewRepository(f.store, "text",
		func(item cqrsfeed.Item[string]) error {
			checked = append(checked, item)
			if item.Body == "rude" {
				return errRude
			}
			return nil
		},
		func(cqrsfeed.Item[string]) error {
			second++
			return nil
		},
	)
	require.NoError(t, err)
	require.NoError(t, f.store.EnsureSchema(t.Context()))

	_, err = texts.Create(t.Context(), "a", "rude")
	require.ErrorIs(t, err, errRude)
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, `faulty: create text "a": check: `)
	status, _ := errors.AsType[interface {
		error
		HTTPStatus() int
	}](err)
	assert.Equal(t, http.StatusUnprocessableEntity, status.HTTPStatus(), "the check's own status comes before that of ErrInvalid")
	assert.Zero(t, second, "the first error ends the checks")
	created, err := texts.Create(t.Context(), "a", "kind")
	require.NoError(t, err)
	_, err = texts.Update(t.Context(), "a", func(body *string) error {
		*body = "rude"
		return nil
	})
	require.ErrorIs(t, err, errRude)
	updated, err := texts.Update(t.Context(), "a", appendX)
	require.NoError(t, err)
	require.Equal(t, 2, f.drain(t))
	require.Len(t, checked, 4)
	assert.Equal(t, []cqrsfeed.Item[string]{created, updated}, []cqrsfeed.Item[string]{checked[1], checked[3]}, "as they are written")
	_, err = texts.Delete(t.Context(), "a")
	require.NoError(t, err)
	assert.Len(t, checked, 4)
}
