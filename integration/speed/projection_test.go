package speed_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

const projected = 20_000

// BenchmarkProjection makes the feeds of 20,000 posts with two tags each, by Rebuild from MySQL and by the events of
// a stream. One writer puts the same finished documents with unordered bulks. of-inserts and of-upserts are the ratios
// of its time to that of the projection.
func BenchmarkProjection(b *testing.B) {
	p := openPlace(b)
	createAll(b, p.create(b), "post", manyPosts(projected))
	stop := p.relay(b)
	p.published(b)
	stop()

	b.Run("rebuild", func(b *testing.B) {
		p.besideBulks(b, func(store *mongostore.FeedStore[post.Post]) time.Duration {
			return timed(func() {
				_, err := readmodel.Rebuild(b.Context(), readmodel.RebuildConfig[post.Post]{
					Source: p.posts, Store: store, FeedsOf: feedsOf,
				})
				require.NoError(b, err)
			})
		})
	})
	b.Run("live", func(b *testing.B) {
		p.besideBulks(b, func(store *mongostore.FeedStore[post.Post]) time.Duration {
			began := time.Now()
			applied, stop := p.project(b, store)
			await(applied, projected)
			took := time.Since(began)
			stop()
			for { // what the projector would have done within its next seconds
				updated, err := store.Recount(b.Context())
				require.NoError(b, err)
				if len(updated) == 0 {
					return took
				}
			}
		})
	})
}

// published waits until the outbox is empty.
func (p *place) published(b *testing.B) {
	b.Helper()
	require.Eventually(b, func() bool {
		backlog, err := p.queue.Backlog(b.Context())
		return err == nil && backlog.Waiting == 0
	}, time.Minute, 10*time.Millisecond)
}

// besideBulks reports how fast project makes the feeds in an empty store, and how fast bulks put the same documents.
func (p *place) besideBulks(b *testing.B, project func(*mongostore.FeedStore[post.Post]) time.Duration) {
	b.Helper()
	var ours, ofInserts, ofUpserts []float64
	for b.Loop() {
		store, prefix := p.feeds(b)
		took := project(store)
		b.StopTimer()
		documents := p.documents(b, prefix)
		inserts, upserts := p.bulk(b, documents, insert), p.bulk(b, documents, upsert)
		b.StartTimer()
		ours = append(ours, rate(projected, took))
		ofInserts = append(ofInserts, float64(inserts)/float64(took))
		ofUpserts = append(ofUpserts, float64(upserts)/float64(took))
		b.Logf("ours %s, inserts %s, upserts %s", took, inserts, upserts)
	}
	b.ReportMetric(median(ours), "posts/s")
	b.ReportMetric(median(ofInserts), "of-inserts")
	b.ReportMetric(median(ofUpserts), "of-upserts")
}

// collections are the collections of a feed store.
var collections = []string{"items", "feeds"} //nolint:gochecknoglobals // a constant

// documents reads and checks what is in the collections, and drops them.
func (p *place) documents(b *testing.B, prefix string) map[string][]bson.Raw {
	b.Helper()
	all := make(map[string][]bson.Raw)
	for _, name := range collections {
		collection := p.mongo.Collection(prefix + name)
		cursor, err := collection.Find(b.Context(), bson.D{})
		require.NoError(b, err)
		var documents []bson.Raw
		require.NoError(b, cursor.All(b.Context(), &documents))
		all[name] = documents
		require.NoError(b, collection.Drop(b.Context()))
	}
	require.Len(b, all["items"], projected)
	var counts int64
	for _, feed := range all["feeds"] {
		counts += feed.Lookup("count").AsInt64()
	}
	require.EqualValues(b, 2*projected, counts)
	return all
}

func insert(document bson.Raw) mongo.WriteModel {
	return mongo.NewInsertOneModel().SetDocument(document)
}

func upsert(document bson.Raw) mongo.WriteModel {
	return mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: "_id", Value: document.Lookup("_id")}}).
		SetReplacement(document).SetUpsert(true)
}

// bulk puts documents into empty collections with the same indexes.
func (p *place) bulk(b *testing.B, documents map[string][]bson.Raw, write func(bson.Raw) mongo.WriteModel) time.Duration {
	b.Helper()
	const atOnce = 1000
	_, prefix := p.feeds(b)
	took := timed(func() {
		for _, name := range collections {
			var models []mongo.WriteModel
			flush := func() {
				_, err := p.mongo.Collection(prefix+name).BulkWrite(b.Context(), models, options.BulkWrite().SetOrdered(false))
				require.NoError(b, err)
				models = models[:0]
			}
			for _, document := range documents[name] {
				if models = append(models, write(document)); len(models) == atOnce {
					flush()
				}
			}
			if len(models) > 0 {
				flush()
			}
		}
	})
	for _, name := range collections {
		require.NoError(b, p.mongo.Collection(prefix+name).Drop(b.Context()))
	}
	return took
}
