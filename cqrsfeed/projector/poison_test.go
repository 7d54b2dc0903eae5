package projector_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// narrowBroker refuses messages for the poison topic that are larger than it takes, metadata included.
type narrowBroker struct {
	messageRecorder

	most int
	tell func(msg *message.Message, err error) error
}

func (b *narrowBroker) Publish(topic string, messages ...*message.Message) error {
	for _, msg := range messages {
		size := len(msg.Payload)
		for key, value := range msg.Metadata {
			size += len(key) + len(value)
		}
		if topic == poisonTopic && size > b.most {
			return b.tell(msg, errTooLarge)
		}
	}
	return b.messageRecorder.Publish(topic, messages...)
}

func (b *narrowBroker) recorded() *messageRecorder { return &b.messageRecorder }

// poisonModel refuses every message whose UUID begins with "bad", for a very long reason.
func poisonModel() funcProjection {
	return func(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
		var poison []error
		for _, msg := range batch {
			if strings.HasPrefix(msg.UUID, "bad") {
				poison = append(poison, &cqrsfeed.RefusedError{Message: msg, Reason: errors.New("no: " + strings.Repeat("ä", 1<<20))})
			}
		}
		return nil, errors.Join(poison...)
	}
}

// TestReasonsAreCutOff: a message that the broker took once must fit with its reason too.
func TestReasonsAreCutOff(t *testing.T) {
	t.Parallel()
	broker := &narrowBroker{most: 4000, tell: named}
	withBroker(t, projector.Config{Projection: poisonModel(), Publisher: broker}, nil, func(subscriber *handSubscriber) {
		sent := together(subscriber, "1", "bad", "2")
		elapse(10 * time.Second)
		requireAcked(t, sent...)
		dead := broker.on(poisonTopic)
		require.Len(t, dead, 1)
		assert.Equal(t, "bad", string(dead[0].Payload))
		reason := dead[0].Metadata.Get(projector.PoisonReasonKey)
		assert.True(t, utf8.ValidString(reason))
		assert.Greater(t, len(reason), 1000)
		assert.NotContains(t, dead[0].Metadata, projector.PoisonPayloadKey)
	})
}

// TestAPoisonedUpdateIsNotMarked: publishers may drop marked messages, but must not drop one of a poison topic.
func TestAPoisonedUpdateIsNotMarked(t *testing.T) {
	t.Parallel()
	broker := &messageRecorder{}
	withBroker(t, projector.Config{Projection: poisonModel(), Publisher: broker}, nil, func(subscriber *handSubscriber) {
		update := message.NewMessage("bad", nil)
		update.Metadata.Set("author", "Ada")
		driver.MarkUpdate(update)
		subscriber.topics["in"] <- update
		elapse(10 * time.Second)
		requireAcked(t, update)
		dead := broker.on(poisonTopic)
		require.Len(t, dead, 1)
		assert.False(t, driver.IsUpdate(dead[0]))
		assert.Equal(t, "Ada", dead[0].Metadata.Get("author"))
		assert.True(t, driver.IsUpdate(update), "the message itself is left alone")
	})
}

// TestThePoisonTopicRefusesAMessage: the message is published without its payload. If the topic refuses that too, the message
// is logged and counted.
func TestThePoisonTopicRefusesAMessage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		most    int
		tell    func(*message.Message, error) error
		dropped bool
	}{
		"the payload":            {3000, named, false},
		"the payload, unnamed":   {3000, unnamed, false},
		"the message":            {100, named, true},
		"the message, unmarked":  {100, unmarked, false},
		"the message, no naming": {100, unnamed, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			logger := watermill.NewSlogLogger(slog.New(slog.NewTextHandler(&log, nil)))
			reader := sdkmetric.NewManualReader()
			broker := &narrowBroker{most: c.most, tell: c.tell}
			config := projector.Config{
				Projection: poisonModel(), Publisher: broker,
				MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
			}
			withBroker(t, config, logger, func(subscriber *handSubscriber) {
				bad := message.NewMessage("bad", []byte(strings.Repeat("payload ", 200)))
				bad.Metadata.Set("author", "Ada")
				subscriber.topics["in"] <- bad
				sent := together(subscriber, "1", "bad but small")
				elapse(10 * time.Second)
				requireAcked(t, sent[0])
				if name == "the message, unmarked" {
					requireOpen(t, bad) // the failure may pass
					return
				}
				requireAcked(t, append(sent, bad)...)
				values := collectMetrics(t, reader, "tester")
				if c.dropped {
					require.Empty(t, broker.on(poisonTopic))
					assert.Equal(t, int64(2), values["cqrsfeed.projector.dropped"].value)
				} else {
					require.ElementsMatch(t, []string{"bad", "bad but small"}, poisonUUIDs(broker.recorded()))
					assert.Equal(t, int64(2), values["cqrsfeed.projector.poison"].value)
					for _, dead := range broker.on(poisonTopic) {
						if dead.UUID == "bad" {
							assert.Empty(t, dead.Payload)
							assert.Equal(t, "1600", dead.Metadata.Get(projector.PoisonPayloadKey))
							assert.Equal(t, "Ada", dead.Metadata.Get("author"))
							assert.NotEmpty(t, dead.Metadata.Get(projector.PoisonReasonKey))
						} else {
							assert.Equal(t, "bad but small", string(dead.Payload))
						}
					}
				}
				for _, known := range []string{"payload payload", "message_uuid=bad", "author:Ada", "topic=in", "no: ä"} {
					assert.Contains(t, log.String(), known)
				}
			})
		})
	}
}

// TestARefusedUpdateIsLeftOut: the message is applied, and is not set aside.
func TestARefusedUpdateIsLeftOut(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*message.Message, error) error{"named": named, "unnamed": unnamed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			publisher := &picky{rule: refuseUUIDs("update of 2"), tell: tell}
			model := &faultyModel{fault: failsFor(nil)}
			reader := sdkmetric.NewManualReader()
			config := projector.Config{
				Projection: model, Publisher: publisher, MaxAttempts: projector.Off,
				MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
			}
			withBroker(t, config, nil, func(subscriber *handSubscriber) {
				sent := together(subscriber, "1", "2", "3")
				elapse(0)
				requireAcked(t, sent...)
				require.Equal(t, []string{"update of 1", "update of 3"}, publisher.took())
				require.Equal(t, int64(1), collectMetrics(t, reader, "tester")["cqrsfeed.projector.updates.refused"].value)
			})
		})
	}
}
