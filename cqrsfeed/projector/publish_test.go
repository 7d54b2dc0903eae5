package projector_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

var _ message.Publisher = (*projector.Projector)(nil)

// inProcess returns a projector without a broker.
func inProcess(t *testing.T, config projector.Config, logger watermill.LoggerAdapter) *projector.Projector {
	t.Helper()
	config.UpdatesTopic = updatesTopic
	if config.Publisher == nil {
		config.Publisher = &recorder{}
	}
	if logger == nil {
		logger = watermill.NopLogger{}
	}
	proj, err := projector.New(config, logger)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, proj.Close()) })
	return proj
}

func messagesOf(uuids ...string) []*message.Message {
	var messages []*message.Message
	for _, uuid := range uuids {
		messages = append(messages, message.NewMessage(uuid, []byte(uuid)))
	}
	return messages
}

// refuses is a projection that refuses some messages and records the batches that it applies.
type refuses struct {
	projector.NoSweep

	bad     func(uuid string) error
	batches [][]string
}

func (r *refuses) Apply(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
	var errs []error
	for _, msg := range batch {
		if reason := r.bad(msg.UUID); reason != nil {
			errs = append(errs, &cqrsfeed.RefusedError{Message: msg, Reason: reason})
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(append(errs, errDown)...)
	}
	r.batches = append(r.batches, uuidsOf(batch))
	return nil, nil
}

func requireNotSettled(t *testing.T, messages ...*message.Message) {
	t.Helper()
	for _, msg := range messages {
		requireOpen(t, msg)
	}
}

func TestPublishAppliesOneBatch(t *testing.T) {
	t.Parallel()
	publisher, model := &recorder{}, &faultyModel{fault: failsFor(nil)}
	proj := inProcess(t, projector.Config{Publisher: publisher, Projection: model}, nil)
	sent := messagesOf("1", "2", "3")
	require.NoError(t, proj.Publish("in", sent...))
	require.NoError(t, proj.Publish("in"))
	assert.Equal(t, [][]string{{"1", "2", "3"}}, model.batches)
	assert.Equal(t, []call{{updatesTopic, []string{"update of 1", "update of 2", "update of 3"}}}, publisher.published())
	requireNotSettled(t, sent...)
}

func TestPublishWorksBeforeDuringAndAfterRun(t *testing.T) {
	t.Parallel()
	model := &faultyModel{fault: failsFor(nil)}
	proj := inProcess(t, projector.Config{Projection: model}, nil)
	require.NoError(t, proj.Publish("in", messagesOf("before")...))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- proj.Run(ctx) }()
	<-proj.Running()
	require.NoError(t, proj.Publish("in", messagesOf("during")...))
	stop()
	require.NoError(t, <-done)
	require.NoError(t, proj.Publish("in", messagesOf("after")...))
	assert.Equal(t, [][]string{{"before"}, {"during"}, {"after"}}, model.batches)
}

func TestPublishIsConcurrent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		projection := &slowProjection{takes: time.Second}
		proj := inProcess(t, projector.Config{Projection: projection}, nil)
		var publishing sync.WaitGroup
		for range 5 {
			publishing.Go(func() { assert.NoError(t, proj.Publish("in", messagesOf("1")...)) })
		}
		publishing.Wait()
		assert.Equal(t, int32(5), projection.most)
	})
}

func TestPublishReturnsRefusals(t *testing.T) {
	t.Parallel()
	model := &refuses{bad: failsFor(errConstraint, "bad", "worse")}
	proj := inProcess(t, projector.Config{Projection: model}, nil)
	sent := messagesOf("1", "bad", "2", "worse")
	err := proj.Publish("in", sent...)
	require.Error(t, err)
	refusals := driver.Refusals(err)
	require.Len(t, refusals, 2)
	assert.Same(t, sent[1], refusals[0].Message)
	assert.Same(t, sent[3], refusals[1].Message)
	require.ErrorIs(t, refusals[0].Reason, errConstraint)
	assert.Equal(t, [][]string{{"1", "2"}}, model.batches, "the others are applied")
	requireNotSettled(t, sent...)
}

func TestPublishSetsRefusedMessagesAside(t *testing.T) {
	t.Parallel()
	publisher := &messageRecorder{}
	model := &refuses{bad: failsFor(errConstraint, "bad")}
	proj := inProcess(t, projector.Config{Publisher: publisher, Projection: model, PoisonTopic: poisonTopic}, nil)
	sent := messagesOf("1", "bad", "2")
	require.NoError(t, proj.Publish("in", sent...))
	assert.Equal(t, [][]string{{"1", "2"}}, model.batches)
	dead := publisher.on(poisonTopic)
	require.Len(t, dead, 1)
	assert.Equal(t, "bad", dead[0].UUID)
	assert.Equal(t, "in", dead[0].Metadata.Get(projector.PoisonTopicKey))
	requireNotSettled(t, sent...)
}

// TestPublishReturnsOnlyRefusalsOfItsMessages: the caller would park messages for any other.
func TestPublishReturnsOnlyRefusalsOfItsMessages(t *testing.T) {
	t.Parallel()
	stranger := message.NewMessage("stranger", nil)
	for name, test := range map[string]struct {
		messages []string
		refused  *message.Message
		parked   bool
	}{
		"a message of another batch":      {[]string{"1"}, stranger, false},
		"no message":                      {[]string{"1", "2"}, nil, false},
		"no message, and there is only 1": {[]string{"1"}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proj := inProcess(t, projector.Config{
				Projection: funcProjection(func(context.Context, []*message.Message) ([]*message.Message, error) {
					return nil, &cqrsfeed.RefusedError{Message: test.refused, Reason: errConstraint}
				}),
			}, nil)
			sent := messagesOf(test.messages...)
			err := proj.Publish("in", sent...)
			require.ErrorContains(t, err, errConstraint.Error())
			refusals := driver.Refusals(err)
			if !test.parked {
				require.Empty(t, refusals)
				return
			}
			require.Len(t, refusals, 1)
			require.Same(t, sent[0], refusals[0].Message)
		})
	}
}

func TestPublishReturnsNoRefusalOfAnUpdate(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*message.Message, error) error{"named": named, "unnamed": unnamed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			publisher := &picky{rule: refuseUUIDs("update of 1"), tell: tell}
			proj := inProcess(t, projector.Config{Publisher: publisher, Projection: &faultyModel{fault: failsFor(nil)}}, nil)
			require.NoError(t, proj.Publish("in", messagesOf("1", "2")...))
			require.Equal(t, []string{"update of 2"}, publisher.took())
		})
	}
}

func TestPublishFailsOnceWithTheProjectionAndThePublisher(t *testing.T) {
	t.Parallel()
	publisher, model := &recorder{}, &faultyModel{fault: failsFor(nil), down: true}
	proj := inProcess(t, projector.Config{Publisher: publisher, Projection: model}, nil)
	require.ErrorIs(t, proj.Publish("in", messagesOf("1")...), errDown)
	assert.Equal(t, 1, model.attempts())
	model.setDown(false)
	publisher.refuse(updatesTopic, errDown)
	require.ErrorIs(t, proj.Publish("in", messagesOf("1")...), errDown)
	assert.Equal(t, 2, model.attempts())
}

func TestPublishReturnsPanicsAsErrors(t *testing.T) {
	t.Parallel()
	updates := []*message.Message{message.NewMessage("update", nil)}
	for name, config := range map[string]projector.Config{
		"of the projection": {Projection: funcProjection(func(context.Context, []*message.Message) ([]*message.Message, error) {
			panic("what now")
		})},
		"of the publisher": {
			Projection: funcProjection(func(context.Context, []*message.Message) ([]*message.Message, error) { return updates, nil }),
			Publisher:  publisherFunc(func(string, ...*message.Message) error { panic("what now") }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			proj := inProcess(t, config, watermill.NewSlogLogger(slog.New(slog.NewTextHandler(&log, nil))))
			require.ErrorContains(t, proj.Publish("in", messagesOf("1")...), "panic: what now")
			require.Contains(t, log.String(), "TestPublishReturnsPanicsAsErrors", "the stack")
		})
	}
}

// TestPublishEnds although the store hangs: a relay holds a transaction meanwhile.
func TestPublishEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proj := inProcess(t, projector.Config{
			ApplyTimeout: 3 * time.Second,
			Projection: funcProjection(func(ctx context.Context, _ []*message.Message) ([]*message.Message, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}),
		}, nil)
		start := time.Now()
		require.ErrorIs(t, proj.Publish("in", messagesOf("1")...), context.DeadlineExceeded)
		assert.Equal(t, 3*time.Second, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		sent := messagesOf("1", "2")
		sent[0].SetContext(ctx)
		start = time.Now()
		require.ErrorIs(t, proj.Publish("in", sent...), context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestPublishMetrics(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	model := &faultyModel{fault: failsFor(nil), down: true}
	proj := inProcess(t, projector.Config{
		Name: "tester", Projection: model, MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
	}, nil)
	note, err := cqrsfeed.NewMessage("Event", 1)
	require.NoError(t, err)
	require.Error(t, proj.Publish("in", note))
	model.setDown(false)
	require.NoError(t, proj.Publish("in", append(messagesOf("1", "2"), note)...))
	values := collectMetrics(t, reader, "tester")
	assert.Equal(t, measured{1, 3}, values["cqrsfeed.projector.batch.size"])
	assert.Equal(t, int64(2), values["cqrsfeed.projector.apply.duration"].value)
	assert.Equal(t, int64(1), values["cqrsfeed.projector.failures"].value)
	assert.Equal(t, int64(1), values["cqrsfeed.projector.lag"].value)
}

func TestASecondRunIsAnError(t *testing.T) {
	t.Parallel()
	proj := inProcess(t, projector.Config{Projection: &faultyModel{fault: failsFor(nil)}}, nil)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	require.NoError(t, proj.Run(ctx))
	require.EqualError(t, proj.Run(ctx), "projector: Run was called before")
}

func TestAProjectorWithASubscriberNeedsAPoisonTopic(t *testing.T) {
	t.Parallel()
	_, err := projector.New(projector.Config{
		Subscriber: newHandSubscriber("in"), Topics: []string{"in"}, UpdatesTopic: updatesTopic,
		Publisher: &recorder{}, Projection: &faultyModel{},
	}, nil)
	require.EqualError(t, err, "projector config: PoisonTopic is missing")
}

// TestUpdatesEndWithTheCallThatCausedThem: another projector in the process that receives them has the same deadline.
func TestUpdatesEndWithTheCallThatCausedThem(t *testing.T) {
	t.Parallel()
	var deadline time.Time
	publisher := publisherFunc(func(_ string, updates ...*message.Message) error {
		deadline, _ = updates[0].Context().Deadline()
		return nil
	})
	proj := inProcess(t, projector.Config{
		Publisher: publisher, ApplyTimeout: time.Hour,
		Projection: funcProjection(func(context.Context, []*message.Message) ([]*message.Message, error) {
			return messagesOf("update"), nil
		}),
	}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	msg := messagesOf("1")[0]
	msg.SetContext(ctx)
	require.NoError(t, proj.Publish("in", msg))
	want, _ := ctx.Deadline()
	assert.Equal(t, want, deadline)
}

// TestUpdatesBesideARefusal are published before the message is set aside, and it is not while they cannot be.
func TestUpdatesBesideARefusal(t *testing.T) {
	t.Parallel()
	var updates []string
	fails := true
	publisher := publisherFunc(func(topic string, messages ...*message.Message) error {
		if fails {
			return errDown
		}
		updates = append(updates, topic+" "+messages[0].UUID)
		return nil
	})
	proj := inProcess(t, projector.Config{
		Publisher: publisher,
		Projection: funcProjection(func(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
			return messagesOf("left"), &cqrsfeed.RefusedError{Message: batch[0], Reason: errTooLarge}
		}),
	}, nil)
	err := proj.Publish("in", messagesOf("bad")...)
	require.ErrorIs(t, err, errDown)
	require.Empty(t, driver.Refusals(err))
	fails = false
	require.Len(t, driver.Refusals(proj.Publish("in", messagesOf("bad")...)), 1)
	require.Equal(t, []string{updatesTopic + " left"}, updates)
}
