package dropin_test

import (
	"reflect"
	"testing"

	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// TestSameSurface compares what an application sees of the two routers: every method of the stock router, and every
// field of its configuration, is there under the same name and with the same type.
//
// It also links the router into the test, so that go test does not use a cached result of TestDropIn after the router
// was changed.
func TestSameSurface(t *testing.T) {
	t.Parallel()
	var subscriber message.Subscriber = gochannel.NewGoChannel(gochannel.Config{}, nil)
	theirs, err := watermillhttp.NewSSERouter(watermillhttp.SSERouterConfig{UpstreamSubscriber: subscriber}, nil)
	require.NoError(t, err)
	ours, err := ssestream.NewRouter(ssestream.RouterConfig{UpstreamSubscriber: subscriber}, nil)
	require.NoError(t, err)

	stock, router := reflect.ValueOf(theirs), reflect.ValueOf(ours)
	for i := range stock.NumMethod() {
		name := stock.Type().Method(i).Name
		if method := router.MethodByName(name); assert.True(t, method.IsValid(), name) {
			assert.Equal(t, stock.Method(i).Type(), method.Type(), name)
		}
	}
	config := reflect.TypeFor[ssestream.RouterConfig]()
	for field := range reflect.TypeFor[watermillhttp.SSERouterConfig]().Fields() {
		ours, ok := config.FieldByName(field.Name)
		require.True(t, ok, field.Name)
		assert.Equal(t, field.Type, ours.Type, field.Name)
	}
	require.NoError(t, ours.Close())
}
