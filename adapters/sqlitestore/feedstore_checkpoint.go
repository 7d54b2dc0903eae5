package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

var _ readmodel.Checkpointer = (*FeedStore[any])(nil)

// SaveCheckpoint implements readmodel.Checkpointer.
func (s *FeedStore[T]) SaveCheckpoint(ctx context.Context, name, value string) error {
	table := quote(s.tables.checkpoints.Name)
	args := []any{name}
	query := `DELETE FROM ` + table + ` WHERE name = ?` //nolint:gosec // a validated, quoted name
	if value != "" {
		query = `INSERT INTO ` + table + ` (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`
		args = append(args, value)
	}
	err := s.database.Change(ctx, func(tx *sql.Conn) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("sqlitestore: save checkpoint %q: %w", name, err)
	}
	return nil
}

// LoadCheckpoint implements readmodel.Checkpointer.
func (s *FeedStore[T]) LoadCheckpoint(ctx context.Context, name string) (string, error) {
	query := `SELECT value FROM ` + quote(s.tables.checkpoints.Name) + ` WHERE name = ?`
	var value string
	err := s.database.Retry(ctx, func() error {
		return s.database.DB().QueryRowContext(ctx, query, name).Scan(&value)
	})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("sqlitestore: load checkpoint %q: %w", name, err)
	}
	return value, nil
}
