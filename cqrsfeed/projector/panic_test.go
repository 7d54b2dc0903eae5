package projector_test

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/internal/panics/panicstest"
)

// TestAPanicIsAFailure like any other. The log has its stack.
func TestAPanicIsAFailure(t *testing.T) {
	t.Parallel()
	model, publisher := &faultyModel{}, &messageRecorder{}
	model.fault = func(uuid string) error {
		if uuid == "bad" {
			panic("what now")
		}
		return nil
	}
	var log bytes.Buffer
	logger := watermill.NewSlogLogger(slog.New(slog.NewTextHandler(&log, nil)))
	config := projector.Config{Projection: model, Publisher: publisher, MaxAttempts: 4}
	withBroker(t, config, logger, func(subscriber *handSubscriber) {
		sent := together(subscriber, "1", "bad", "2")
		others(t, subscriber, 20)
		requireAcked(t, sent...)
		require.Equal(t, []string{"bad"}, poisonUUIDs(publisher))
		assert.Equal(t, "apply 1 messages: panic: what now", publisher.on(poisonTopic)[0].Metadata.Get(projector.PoisonReasonKey))
	})
	assert.Contains(t, log.String(), "TestAPanicIsAFailure", "the stack")
}

func TestSweepsGoOnAfterAPanic(t *testing.T) {
	t.Parallel()
	sweeps := 0
	config := projector.Config{Publisher: &recorder{}, Projection: &sweepFunc{sweep: func() ([]*message.Message, error) {
		sweeps++
		panic("what now")
	}}}
	withBroker(t, config, nil, func(*handSubscriber) { elapse(10 * time.Second) })
	assert.Greater(t, sweeps, 5)
}

// TestAnErrorThatPanicsIsAFailure: the projector looks for refusals in its tree.
func TestAnErrorThatPanicsIsAFailure(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]error{
		"itself": panicstest.NilError(), "in a tree": errors.Join(errDown, panicstest.NilError()),
		"refusal": (*cqrsfeed.RefusedError)(nil), "refused for it": &cqrsfeed.RefusedError{Reason: panicstest.NilError()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model, publisher := &faultyModel{fault: failsFor(bad, "bad")}, &messageRecorder{}
			withBroker(t, projector.Config{Projection: model, Publisher: publisher, MaxAttempts: 4}, nil, func(subscriber *handSubscriber) {
				sent := together(subscriber, "1", "bad", "2")
				others(t, subscriber, 20)
				requireAcked(t, sent...)
				require.Equal(t, []string{"bad"}, poisonUUIDs(publisher))
			})
		})
	}
}
