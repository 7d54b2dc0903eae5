package projector_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/internal/panics"
)

var errConstraint = errors.New("violates a constraint")

// faultyModel is a read model that some messages cannot be applied to.
type faultyModel struct {
	fault func(uuid string) error

	mu      sync.Mutex
	down    bool
	batches [][]string
	applied map[string]bool
}

func (m *faultyModel) Apply(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.batches = append(m.batches, uuidsOf(batch))
	if m.down {
		return nil, errDown
	}
	var updates []*message.Message
	for _, msg := range batch {
		if err := m.fault(msg.UUID); err != nil {
			return nil, err
		}
		updates = append(updates, message.NewMessage("update of "+msg.UUID, nil))
	}
	for _, msg := range batch {
		if m.applied == nil {
			m.applied = map[string]bool{}
		}
		m.applied[msg.UUID] = true
	}
	return updates, nil
}

func (m *faultyModel) setDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

func (m *faultyModel) attempts() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.batches)
}

func failsFor(err error, uuids ...string) func(string) error {
	return func(uuid string) error {
		if slices.Contains(uuids, uuid) {
			return err
		}
		return nil
	}
}

// permanently runs a projector in virtual time on a model and a publisher.
func permanently(t *testing.T, config projector.Config, logger watermill.LoggerAdapter, test func(subscriber *handSubscriber)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		subscriber := newHandSubscriber("in")
		config.Name, config.Subscriber, config.Topics = "tester", subscriber, []string{"in"}
		config.UpdatesTopic, config.PoisonTopic = updatesTopic, poisonTopic
		if logger == nil {
			logger = watermill.NopLogger{}
		}
		proj, err := projector.New(config, logger)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- proj.Run(ctx) }()
		synctest.Wait()
		test(subscriber)
		stop()
		require.NoError(t, <-done)
	})
}

// elapse lets virtual time pass, and what it brings about happen.
func elapse(d time.Duration) {
	pass(d)
	synctest.Wait()
}

func poisonUUIDs(publisher *messageRecorder) []string { return uuidsOf(publisher.on(poisonTopic)) }

// together sends messages that come as one batch, behind one that keeps the projector busy.
func together(subscriber *handSubscriber, uuids ...string) []*message.Message {
	sent := subscriber.send("in", uuids...)
	synctest.Wait()
	return sent
}

func requireOpen(t *testing.T, msg *message.Message) {
	t.Helper()
	select {
	case <-msg.Acked():
		require.Fail(t, "acknowledged", msg.UUID)
	case <-msg.Nacked():
		require.Fail(t, "given back", msg.UUID)
	default:
	}
}

// TestProjectorGoesOnBesideAMessageThatFails: its company and what follows are applied within a second, and the
// one itself is set aside with its reason when it was given its chances.
func TestProjectorGoesOnBesideAMessageThatFails(t *testing.T) {
	t.Parallel()
	model, publisher := &faultyModel{fault: failsFor(errConstraint, "bad")}, &messageRecorder{}
	permanently(t, projector.Config{Projection: model, Publisher: publisher, MaxAttempts: 10}, nil, func(subscriber *handSubscriber) {
		sent := together(subscriber, "1", "2", "bad", "3")
		elapse(time.Second)
		later := together(subscriber, "4", "5")
		good := append(slices.Delete(slices.Clone(sent), 2, 3), later...)
		requireAcked(t, good...)
		requireOpen(t, sent[2])
		require.Empty(t, publisher.on(poisonTopic), "it has not had its chances")
		elapse(time.Minute)
		requireAcked(t, sent[2])
		require.Equal(t, []string{"bad"}, poisonUUIDs(publisher))
		dead := publisher.on(poisonTopic)[0].Metadata
		assert.Contains(t, dead.Get(projector.PoisonReasonKey), errConstraint.Error())
		assert.Equal(t, "in", dead.Get(projector.PoisonTopicKey))
		assert.Equal(t, "tester", dead.Get(projector.PoisonHandlerKey))
		alone := 0
		for _, batch := range model.batches {
			if slices.Equal(batch, []string{"bad"}) {
				alone++
			}
		}
		assert.GreaterOrEqual(t, alone, 10)
		for _, uuid := range []string{"1", "2", "3", "4", "5"} {
			assert.Contains(t, uuidsOf(publisher.on(updatesTopic)), "update of "+uuid)
		}
	})
}

// TestProjectorSetsAsideWhatFailsAlone where no other message comes that could show it to be at fault, as with a
// subscriber that delivers the next only after this one: one that was applied before is applied once more.
func TestProjectorSetsAsideWhatFailsAlone(t *testing.T) {
	t.Parallel()
	model, publisher := &faultyModel{fault: failsFor(errConstraint, "bad")}, &messageRecorder{}
	permanently(t, projector.Config{Projection: model, Publisher: publisher, MaxAttempts: 5, BatchSize: 1}, nil, func(subscriber *handSubscriber) {
		requireAcked(t, together(subscriber, "good")...)
		bad := together(subscriber, "bad")
		elapse(time.Minute)
		requireAcked(t, bad...)
		require.Equal(t, []string{"bad"}, poisonUUIDs(publisher))
	})
}

// TestProjectorSetsNothingAsideWhileTheStoreIsAway, however long that is, and takes no more than it may hold.
func TestProjectorSetsNothingAsideWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	for name, first := range map[string][]string{"from the start": nil, "after a message": {"first"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model, publisher := &faultyModel{fault: failsFor(nil)}, &messageRecorder{}
			permanently(t, projector.Config{
				Projection: model, Publisher: publisher, MaxAttempts: 3, BatchSize: 10,
			}, nil, func(subscriber *handSubscriber) {
				requireAcked(t, together(subscriber, first...)...)
				model.setDown(true)
				var all []string
				for i := range 60 {
					all = append(all, fmt.Sprint(i))
				}
				sent := together(subscriber, all...)
				before := model.attempts()
				elapse(10 * time.Minute)
				require.Empty(t, publisher.on(poisonTopic))
				require.Less(t, model.attempts()-before, 4*2*600, "the store is left in peace")
				require.NotEmpty(t, subscriber.topics["in"], "it takes more and more")
				model.setDown(false)
				elapse(time.Minute)
				requireAcked(t, sent...)
				require.Empty(t, publisher.on(poisonTopic))
				for _, uuid := range all {
					require.True(t, model.applied[uuid])
				}
			})
		})
	}
}

// TestAttemptsWhileTheStoreIsAwayDoNotCount, wherever in a series of attempts the store comes back.
func TestAttemptsWhileTheStoreIsAwayDoNotCount(t *testing.T) {
	t.Parallel()
	for seconds := range 30 {
		var failures int
		model, publisher := &faultyModel{}, &messageRecorder{}
		model.fault = func(uuid string) error { // a few times more after the store came back
			if uuid == "slow" && failures > 0 {
				failures--
				return errConstraint
			}
			return nil
		}
		permanently(t, projector.Config{Projection: model, Publisher: publisher, MaxAttempts: 3}, nil, func(subscriber *handSubscriber) {
			requireAcked(t, together(subscriber, "first")...)
			model.setDown(true)
			sent := together(subscriber, "slow", "other")
			elapse(time.Minute + time.Duration(seconds)*time.Second)
			model.mu.Lock()
			model.down, failures = false, 2
			model.mu.Unlock()
			elapse(time.Minute)
			requireAcked(t, sent...)
			require.Empty(t, publisher.on(poisonTopic))
		})
	}
}

// TestProjectorThatNeverPoisons goes on trying, and others go on beside that.
func TestProjectorThatNeverPoisons(t *testing.T) {
	t.Parallel()
	model, publisher := &faultyModel{fault: failsFor(errConstraint, "bad")}, &messageRecorder{}
	config := projector.Config{Projection: model, Publisher: publisher, MaxAttempts: projector.Off}
	permanently(t, config, nil, func(subscriber *handSubscriber) {
		sent := together(subscriber, "bad", "1")
		for range 20 {
			elapse(time.Minute)
			requireAcked(t, together(subscriber, "more")...)
		}
		requireAcked(t, sent[1])
		requireOpen(t, sent[0])
		require.Empty(t, publisher.on(poisonTopic))
	})
}

// TestProjectorOutlivesPanics of a projection: the message is one that fails, and the log says where.
func TestProjectorOutlivesPanics(t *testing.T) {
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
	config := projector.Config{
		Projection: model, Publisher: publisher, MaxAttempts: 4,
		EventTime: func(*message.Message) time.Time { panic("no time") },
	}
	permanently(t, config, logger, func(subscriber *handSubscriber) {
		sent := together(subscriber, "1", "bad", "2")
		elapse(time.Minute)
		requireAcked(t, sent...)
		require.Equal(t, []string{"bad"}, poisonUUIDs(publisher))
		assert.Equal(t, "apply 1 messages: panic: what now", publisher.on(poisonTopic)[0].Metadata.Get(projector.PoisonReasonKey))
	})
	assert.Contains(t, log.String(), "TestProjectorOutlivesPanics", "the stack")
}

// TestProjectorOutlivesPanicsOfASweep and sweeps again.
func TestProjectorOutlivesPanicsOfASweep(t *testing.T) {
	t.Parallel()
	sweeps := 0
	config := projector.Config{Publisher: &recorder{}, Projection: &sweepFunc{sweep: func() ([]*message.Message, error) {
		sweeps++
		panic("what now")
	}}}
	permanently(t, config, nil, func(*handSubscriber) { elapse(10 * time.Second) })
	assert.Greater(t, sweeps, 5)
}

// TestHeldMessagesOfHandleEndWithTheirContext: whoever brought one waits no more, and brings it again.
func TestHeldMessagesOfHandleEndWithTheirContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		model := &faultyModel{fault: failsFor(errConstraint, "bad")}
		proj, stop := runHandled(t, projector.Config{
			Publisher: &messageRecorder{}, Projection: model, MaxAttempts: projector.Off, BatchSize: 1,
		})
		for range 100 { // more than it could hold
			msg := message.NewMessage("bad", nil)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			msg.SetContext(ctx)
			require.ErrorIs(t, proj.Handle(msg), context.DeadlineExceeded)
			cancel()
		}
		require.NoError(t, proj.Handle(message.NewMessage("good", nil)))
		require.NoError(t, stop())
	})
}

// TestAPanicOfAnotherGoroutineIsLoggedWithItsStack: a projection that works concurrently raises it again.
func TestAPanicOfAnotherGoroutineIsLoggedWithItsStack(t *testing.T) {
	t.Parallel()
	model, publisher := &faultyModel{}, &messageRecorder{}
	model.fault = func(uuid string) error {
		if uuid == "bad" {
			panic(panics.Catch(func() { panic("a bug") }))
		}
		return nil
	}
	var log bytes.Buffer
	logger := watermill.NewSlogLogger(slog.New(slog.NewTextHandler(&log, nil)))
	config := projector.Config{Projection: model, Publisher: publisher, MaxAttempts: 4}
	permanently(t, config, logger, func(subscriber *handSubscriber) {
		sent := together(subscriber, "1", "bad", "2")
		elapse(time.Minute)
		requireAcked(t, sent...)
		require.Equal(t, "apply 1 messages: panic: a bug", publisher.on(poisonTopic)[0].Metadata.Get(projector.PoisonReasonKey))
	})
	require.Contains(t, log.String(), "TestAPanicOfAnotherGoroutine", "the stack")
}
