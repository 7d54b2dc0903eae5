package mongostore

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// verifyAndCount does beside each other what only has to come after the bump.
func (a *application) verifyAndCount(ctx context.Context) error {
	return together(ctx, a.verify, a.readHeads, a.countBumped)
}

// verify marks the versions that are still current as done: their entries are written and everything on
// record was cleared, so the next claim may start its record anew. Where a newer version claimed meanwhile
// it may have cleared its record before our entries came; we have to clear those ourselves, against what is
// current now. Reading that after our writes is what makes it right: a version that claims later than the
// read has our places on record.
func (a *application) verify(ctx context.Context) error {
	a.moved = nil
	var ours []*plan
	versions := make(map[int64][]string)
	for _, p := range a.plans {
		if p.current() && !p.done() {
			ours = append(ours, p)
			versions[p.version] = append(versions[p.version], p.id)
		}
	}
	var writes []write
	for version, ids := range versions { // one statement for all of a version costs a fraction of one for each
		writes = append(writes, write{model: mongo.NewUpdateManyModel().
			SetFilter(append(among(ids), bson.E{Key: "v", Value: version})).
			SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "done", Value: version}}}})})
	}
	result, err := writeAll(ctx, a.items, writes)
	if err != nil {
		return err
	}
	if result.matched == int64(len(ours)) {
		return nil
	}
	if err := a.readBack(ctx, ours); err != nil {
		return err
	}
	for _, p := range ours {
		if p.state.Version == 0 {
			return fmt.Errorf("the record of item %q went while its entries were written", p.id)
		}
		if !p.current() {
			p.won = false
			a.moved = append(a.moved, p)
		}
	}
	return nil
}
