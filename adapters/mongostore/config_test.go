package mongostore_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/feedmill/feedmill/adapters/mongostore"
)

func TestFeedStoreConfigNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := mongostore.NewFeedStore[string](nil, mongostore.FeedStoreConfig{
		Name: "system." + strings.Repeat("x", 60), CountAtOnce: -2,
	})
	for _, problem := range []string{"database is missing", "cannot begin", "has 67 bytes", "CountAtOnce is -2"} {
		require.ErrorContains(t, err, problem)
	}
	for _, name := range []string{"", "a$b", "a\x00", "system.x"} {
		require.Error(t, mongostore.FeedStoreConfig{Name: name}.Validate(), "name %q", name)
	}
}

func TestFeedStoreConfigHasDefaults(t *testing.T) {
	t.Parallel()
	client, err := mongo.Connect()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Disconnect(context.Background())) })
	for _, config := range []mongostore.FeedStoreConfig{
		{Name: "post"}, {Name: "v2.post", CountAtOnce: 1}, {Name: "post", CountAtOnce: mongostore.Off},
	} {
		_, err := mongostore.NewFeedStore[string](client.Database("blog"), config)
		require.NoError(t, err)
	}
}
