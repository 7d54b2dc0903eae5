package mongostore_test

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/adapters/mongostore"
)

// router is a server that behaves like the router of a sharded cluster. The test servers have no sharding.
type router struct {
	hello   bson.D // what is special in the answer to hello
	catalog any    // the answer to a find in config.collections: documents, or an error

	mu    sync.Mutex
	asked []string // the commands
}

// serve handles one connection.
func (r *router) serve(conn net.Conn) {
	defer conn.Close()
	for {
		head := make([]byte, 16)
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		body := make([]byte, int(binary.LittleEndian.Uint32(head))-len(head))
		if _, err := io.ReadFull(conn, body); err != nil {
			return
		}
		var command bson.D
		const section = 5 // behind four bytes of flags and one of the kind
		if err := bson.Unmarshal(body[section:], &command); err != nil {
			return
		}
		document, err := bson.Marshal(r.answer(command))
		if err != nil {
			return
		}
		answer := binary.LittleEndian.AppendUint32(nil, uint32(16+section+len(document)))
		answer = append(append(answer, 0, 0, 0, 0), head[4:8]...) // in response to
		answer = binary.LittleEndian.AppendUint32(answer, 2013)   // OP_MSG
		if _, err := conn.Write(append(append(answer, 0, 0, 0, 0, 0), document...)); err != nil {
			return
		}
	}
}

func (r *router) answer(command bson.D) bson.D {
	name, collection := command[0].Key, command[0].Value
	r.mu.Lock()
	r.asked = append(r.asked, name)
	r.mu.Unlock()
	ok := bson.E{Key: "ok", Value: 1}
	cursor := func(documents any) bson.D {
		return bson.D{ok, {Key: "cursor", Value: bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: "config.collections"}, {Key: "firstBatch", Value: documents}}}}
	}
	switch {
	case name == "hello":
		return append(bson.D{ok, {Key: "isWritablePrimary", Value: true}, {Key: "minWireVersion", Value: 0}, {Key: "maxWireVersion", Value: 21}}, r.hello...)
	case name == "listCollections":
		return cursor(bson.A{})
	case name == "find" && collection == "collections":
		if failure, fails := r.catalog.(bson.D); fails {
			return failure
		}
		return cursor(r.catalog)
	case name == "createIndexes": // so far and no further
		return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: 8000}, {Key: "errmsg", Value: "no more is needed"}}
	default:
		return bson.D{ok}
	}
}

// ensure returns the error of EnsureSchema at the router.
func (r *router) ensure(t *testing.T) error {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { r.serve(conn) })
		}
	})
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + listener.Addr().String() + "/?directConnection=true").
		SetServerAPIOptions(options.ServerAPI(options.ServerAPIVersion1)).SetRetryReads(false))
	require.NoError(t, err)
	defer serving.Wait()
	defer func() {
		assert.NoError(t, client.Disconnect(t.Context()))
		assert.NoError(t, listener.Close())
	}()
	store, err := mongostore.NewFeedStore[string](client.Database("app"), mongostore.FeedStoreConfig{Name: "post"})
	require.NoError(t, err)
	return store.EnsureSchema(t.Context())
}

func TestOtherShardKeysAreRefused(t *testing.T) {
	t.Parallel()
	isRouter := bson.D{{Key: "msg", Value: "isdbgrid"}}
	sharded := func(key bson.D) bson.A {
		return bson.A{bson.D{
			{Key: "_id", Value: "app.post_items"}, {Key: "key", Value: key}, {Key: "unique", Value: false}, {Key: "noBalance", Value: false},
		}}
	}
	const passed = "no more is needed"
	for name, c := range map[string]struct {
		*router
		want string
	}{
		"the id":            {&router{hello: isRouter, catalog: sharded(bson.D{{Key: "_id", Value: 1}})}, passed},
		"the id, hashed":    {&router{hello: isRouter, catalog: sharded(bson.D{{Key: "_id", Value: "hashed"}})}, passed},
		"another field":     {&router{hello: isRouter, catalog: sharded(bson.D{{Key: "v", Value: 1}})}, "app.post_items is sharded by {v: 1}"},
		"one more field":    {&router{hello: isRouter, catalog: sharded(bson.D{{Key: "_id", Value: 1}, {Key: "v", Value: 1}})}, `sh.reshardCollection("app.post_items", {_id: "hashed"})`},
		"sharded by nobody": {&router{hello: isRouter, catalog: bson.A{}}, passed},
		"no right to read": {&router{hello: isRouter, catalog: bson.D{
			{Key: "ok", Value: 0}, {Key: "code", Value: 13}, {Key: "errmsg", Value: "not authorized on config"},
		}}, passed},
		"another failure": {&router{hello: isRouter, catalog: bson.D{
			{Key: "ok", Value: 0}, {Key: "code", Value: 1}, {Key: "errmsg", Value: "broken"},
		}}, "read the shard keys: broken"},
		"no router": {&router{catalog: sharded(bson.D{{Key: "v", Value: 1}})}, passed},
	} {
		err := c.ensure(t)
		require.ErrorContains(t, err, c.want, name)
		require.Equal(t, c.hello != nil, slices.Contains(c.asked, "find"), name)
	}
}
