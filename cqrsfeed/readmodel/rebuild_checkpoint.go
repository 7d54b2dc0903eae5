package readmodel

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

const (
	checkpointName = "rebuild"
	// checkpointLife is how long a rebuild that was broken off can be gone on with. Behind the checkpoint
	// lies what was applied then; whatever changed since came by events, if those flowed.
	checkpointLife = 24 * time.Hour
)

// checkpoint is how far a rebuild came.
type checkpoint struct {
	After string    `json:"after"`
	Items int64     `json:"items"`
	Saved time.Time `json:"saved"`
	// Fresh says that the store was empty when the rebuild began: then it can have no orphans.
	Fresh bool `json:"fresh,omitempty"`
}

// resume finds out where to begin. A restart forgets the checkpoint at once: if it is killed before it notes one
// of its own, the next rebuild must not go on from the old one.
func (r *rebuild[T]) resume(ctx context.Context) error {
	if r.config.Restart {
		if err := r.storeCheckpoint(ctx, ""); err != nil {
			return err
		}
	} else if r.checkpoints != nil {
		saved, err := r.loadCheckpoint(ctx)
		if err != nil {
			return err
		}
		if saved.After != "" && time.Since(saved.Saved) < checkpointLife {
			r.point, r.resumed, r.fresh = saved, saved.Items, saved.Fresh
			return nil
		}
	}
	var err error
	r.fresh, err = r.isEmpty(ctx)
	r.point.Fresh = r.fresh
	return err
}

func (r *rebuild[T]) loadCheckpoint(ctx context.Context) (checkpoint, error) {
	var value string
	err := try(ctx, r.config.Attempts, func() (err error) {
		value, err = r.checkpoints.LoadCheckpoint(ctx, checkpointName)
		return err
	})
	if err != nil {
		return checkpoint{}, fmt.Errorf("load the checkpoint: %w", err)
	}
	var saved checkpoint
	if value == "" {
		return saved, nil
	}
	if err := json.Unmarshal([]byte(value), &saved); err != nil {
		return checkpoint{}, fmt.Errorf("read the checkpoint %q, which Restart passes over: %w", value, err)
	}
	return saved, nil
}

func (r *rebuild[T]) saveCheckpoint(ctx context.Context, point checkpoint) error {
	point.Saved = time.Now().UTC()
	value, err := json.Marshal(point)
	if err != nil {
		return fmt.Errorf("encode the checkpoint: %w", err)
	}
	return r.storeCheckpoint(ctx, string(value))
}

func (r *rebuild[T]) storeCheckpoint(ctx context.Context, value string) error {
	if r.checkpoints == nil {
		return nil
	}
	err := try(ctx, r.config.Attempts, func() error {
		return r.checkpoints.SaveCheckpoint(ctx, checkpointName, value)
	})
	if err != nil {
		return fmt.Errorf("save the checkpoint: %w", err)
	}
	return nil
}

// isEmpty says whether nothing is in the store. Events may put something there from now on, but no orphans.
func (r *rebuild[T]) isEmpty(ctx context.Context) (bool, error) {
	if r.inspector == nil {
		return false, nil
	}
	var ids []string
	var places []Place
	err := try(ctx, r.config.Attempts, func() (err error) {
		if ids, err = r.inspector.StoredIDs(ctx, "", 1); err == nil {
			places, _, err = r.inspector.StoredPlaces(ctx, "", 1)
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look into the store: %w", err)
	}
	return len(ids) == 0 && len(places) == 0, nil
}
