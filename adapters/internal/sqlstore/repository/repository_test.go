package repository_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/repository"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqlstoretest"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// TestNoChangeWithoutItsEvent lets only the outbox fail.
func TestNoChangeWithoutItsEvent(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	f.Faults.Set("INSERT INTO outbox", func(func() error) error { return sqlstoretest.ErrDisk })
	_, err := f.Repository.Create(t.Context(), "two", "")
	require.ErrorIs(t, err, sqlstoretest.ErrDisk)
	_, err = f.Repository.Get(t.Context(), "two")
	require.ErrorIs(t, err, cqrsfeed.ErrNotFound)
	_, err = f.Repository.Update(t.Context(), "one", sqlstoretest.AppendX)
	require.ErrorIs(t, err, sqlstoretest.ErrDisk)
	_, err = f.Repository.Delete(t.Context(), "one")
	require.ErrorIs(t, err, sqlstoretest.ErrDisk)
	f.RequireVersion(t, 1)
}

func TestBodiesThatDoNotDecodeNameTheirItem(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	_, err := f.DB.ExecContext(t.Context(), `UPDATE item SET body = '{"not":"a string"}'`)
	require.NoError(t, err)
	const problem = `decode body of item "one" version 1`
	_, err = f.Repository.Get(t.Context(), "one")
	require.ErrorContains(t, err, problem)
	_, err = f.Repository.Scan(t.Context(), "", 10)
	require.ErrorContains(t, err, problem)
	_, err = f.Repository.Update(t.Context(), "one", sqlstoretest.AppendX)
	require.ErrorContains(t, err, problem)
}

func TestBodiesThatDoNotEncodeAreRefused(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	functions, err := repository.New[func()](f.Store, "function")
	require.NoError(t, err)
	_, err = functions.Create(t.Context(), "f", func() {})
	_, unsupported := errors.AsType[*json.UnsupportedTypeError](err)
	assert.True(t, unsupported)
	require.ErrorContains(t, err, `create function "f": invalid argument: encode body`)

	raw, err := repository.New[json.RawMessage](f.Store, "raw")
	require.NoError(t, err)
	_, err = raw.Create(t.Context(), "raw", json.RawMessage("\"\xff\""))
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	assert.Zero(t, f.Drain(t))
}

// rude is an error with a status of its own.
type rude struct{}

func (rude) Error() string   { return "rude" }
func (rude) HTTPStatus() int { return http.StatusUnprocessableEntity }

// TestChecksRefuseBeforeAnythingIsWritten: if a check of Create or Update returns any error, the error is ErrInvalid,
// and neither the row nor the event is written. Delete is not checked.
func TestChecksRefuseBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	errRude := rude{}
	var checked []cqrsfeed.Item[string]
	second := 0
	texts, err := repository.New(f.Store, "text",
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
	require.NoError(t, f.Store.EnsureSchema(t.Context()))

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
	updated, err := texts.Update(t.Context(), "a", sqlstoretest.AppendX)
	require.NoError(t, err)
	require.Equal(t, 2, f.Drain(t))
	require.Len(t, checked, 4)
	assert.Equal(t, []cqrsfeed.Item[string]{created, updated}, []cqrsfeed.Item[string]{checked[1], checked[3]}, "as they are written")
	_, err = texts.Delete(t.Context(), "a")
	require.NoError(t, err)
	assert.Len(t, checked, 4)
}

// writeOnly cannot be decoded from its own encoding.
type writeOnly struct{ Text string }

func (writeOnly) MarshalJSON() ([]byte, error) { return []byte(`"text"`), nil }

// TestBodiesThatDoNotComeBackAreRefused, because no projection could apply them.
func TestBodiesThatDoNotComeBackAreRefused(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	texts, err := repository.New[writeOnly](f.Store, "text")
	require.NoError(t, err)
	_, err = texts.Create(t.Context(), "a", writeOnly{"a"})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, "does not decode")
	assert.Zero(t, f.Drain(t))
}

// TestCreateReturnsWhatIsStored, not its argument: checks see the same body as projections.
func TestCreateReturnsWhatIsStored(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	created, err := f.Repository.Create(t.Context(), "two", "a\xffb")
	require.NoError(t, err)
	assert.Equal(t, "a\ufffdb", created.Body)
	stored, err := f.Repository.Get(t.Context(), "two")
	require.NoError(t, err)
	assert.Equal(t, created, stored)
}
