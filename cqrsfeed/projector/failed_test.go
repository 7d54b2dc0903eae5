package projector_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// others sends messages one after the other, a second apart, and requires that each is applied within 100 ms.
func others(t *testing.T, subscriber *handSubscriber, n int) {
	t.Helper()
	for i := range n {
		sent := together(subscriber, fmt.Sprint("other ", i))
		elapse(100 * time.Millisecond)
		select {
		case <-sent[0].Acked():
		default:
			require.Fail(t, "held up", sent[0].UUID)
		}
		elapse(900 * time.Millisecond)
	}
}

func TestAFailingMessageHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 3, 500} {
		t.Run(fmt.Sprint("batches of ", size), func(t *testing.T) {
			t.Parallel()
			model, publisher := &faultyModel{fault: failsFor(errConstraint, "bad")}, &messageRecorder{}
			config := projector.Config{Projection: model, Publisher: publisher, MaxAttempts: 10, BatchSize: size}
			withBroker(t, config, nil, func(subscriber *handSubscriber) {
				sent := together(subscriber, "1", "2", "bad", "3")
				elapse(time.Second)
				good := slices.Delete(slices.Clone(sent), 2, 3)
				requireAcked(t, good...)
				others(t, subscriber, 5)
				requireOpen(t, sent[2])
				require.Empty(t, publisher.on(poisonTopic))

				others(t, subscriber, 20)
				requireAcked(t, sent[2])
				require.Equal(t, []string{"bad"}, poisonUUIDs(publisher))
				dead := publisher.on(poisonTopic)[0].Metadata
				assert.Contains(t, dead.Get(projector.PoisonReasonKey), errConstraint.Error())
				assert.Equal(t, "in", dead.Get(projector.PoisonTopicKey))
				assert.Equal(t, "tester", dead.Get(projector.PoisonHandlerKey))
				for _, uuid := range []string{"1", "2", "3", "other 0", "other 19"} {
					assert.Contains(t, uuidsOf(publisher.on(updatesTopic)), "update of "+uuid)
				}
			})
		})
	}
}

// failing is a projection that names the messages that fail.
type failing struct{ faultyModel }

func (m *failing) Apply(ctx context.Context, batch []*message.Message) ([]*message.Message, error) {
	var failures []error
	for _, msg := range batch {
		if err := m.fault(msg.UUID); err != nil {
			failures = append(failures, &cqrsfeed.FailedError{Message: msg, Reason: err})
		}
	}
	if len(failures) > 0 {
		return nil, fmt.Errorf("apply: %w", errors.Join(failures...))
	}
	return m.faultyModel.Apply(ctx, batch)
}

// TestOthersOfABatchGoOnAtOnce, in one batch, when the projection names the messages that fail. Those are set aside like any
// other.
func TestOthersOfABatchGoOnAtOnce(t *testing.T) {
	t.Parallel()
	fails := failsFor(errConstraint, "bad 1", "bad 2")
	model, publisher := &failing{faultyModel{fault: func(uuid string) error {
		if uuid == "first" { // the others form a batch meanwhile
			pass(time.Millisecond)
		}
		return fails(uuid)
	}}}, &messageRecorder{}
	config := projector.Config{Projection: model, Publisher: publisher, MaxAttempts: 10}
	withBroker(t, config, nil, func(subscriber *handSubscriber) {
		sent := together(subscriber, "first")
		sent = append(sent, together(subscriber, "1", "bad 1", "2", "bad 2", "3")...)
		elapse(10 * time.Millisecond)
		requireAcked(t, sent[0], sent[1], sent[3], sent[5])
		require.Equal(t, [][]string{{"first"}, {"1", "2", "3"}}, model.batches)
		requireOpen(t, sent[2])
		requireOpen(t, sent[4])
		others(t, subscriber, 20)
		requireAcked(t, sent...)
		require.ElementsMatch(t, []string{"bad 1", "bad 2"}, poisonUUIDs(publisher))
		assert.Contains(t, publisher.on(poisonTopic)[0].Metadata.Get(projector.PoisonReasonKey), errConstraint.Error())
	})
}

// TestWhatAnotherReleaseMayApplyIsGivenBack to the broker after every tenth failure. If the broker always delivers it to the
// same instance, it is set aside.
func TestWhatAnotherReleaseMayApplyIsGivenBack(t *testing.T) {
	t.Parallel()
	model, publisher := &failing{faultyModel{fault: failsFor(errConstraint, "bad")}}, &messageRecorder{}
	config := projector.Config{Projection: model, Publisher: publisher, MaxAttempts: 25}
	withBroker(t, config, nil, func(subscriber *handSubscriber) {
		for range 2 {
			bad := together(subscriber, "bad")[0]
			others(t, subscriber, 9)
			requireOpen(t, bad)
			others(t, subscriber, 3)
			select {
			case <-bad.Nacked():
			default:
				require.Fail(t, "kept")
			}
		}
		bad := together(subscriber, "bad")
		others(t, subscriber, 3)
		requireOpen(t, bad[0])
		others(t, subscriber, 4)
		requireAcked(t, bad...)
		require.Equal(t, []string{"bad"}, poisonUUIDs(publisher))
	})
}

// TestPublishSaysWhatFailed after it has applied the others. Refused messages are published again with the failed ones.
func TestPublishSaysWhatFailed(t *testing.T) {
	t.Parallel()
	good, bad, refused := message.NewMessage("good", nil), message.NewMessage("bad", nil), message.NewMessage("refused", nil)
	var applied []string
	projection := funcProjection(func(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
		var left []error
		for _, msg := range batch {
			switch msg {
			case bad:
				left = append(left, &cqrsfeed.FailedError{Message: msg, Reason: errConstraint})
			case refused:
				left = append(left, &cqrsfeed.RefusedError{Message: msg, Reason: errTooLarge})
			}
		}
		if len(left) == 0 {
			applied = append(applied, uuidsOf(batch)...)
		}
		return nil, errors.Join(left...)
	})
	proj, err := projector.New(projector.Config{Projection: projection}, watermill.NopLogger{})
	require.NoError(t, err)
	err = proj.Publish("in", good, bad, refused)
	require.ErrorIs(t, err, errConstraint)
	require.Empty(t, driver.Refusals(err))
	assert.Equal(t, []string{"good"}, applied)
	err = proj.Publish("in", good, refused)
	require.Len(t, driver.Refusals(err), 1)
}

// TestAFailureCountsOncePerOther: a message is set aside after MaxAttempts failures alone that each follow an applied
// message.
func TestAFailureCountsOncePerOther(t *testing.T) {
	t.Parallel()
	const attempts = 5
	model, publisher := &faultyModel{fault: failsFor(errConstraint, "bad")}, &messageRecorder{}
	config := projector.Config{Projection: model, Publisher: publisher, MaxAttempts: attempts}
	withBroker(t, config, nil, func(subscriber *handSubscriber) {
		requireAcked(t, together(subscriber, "good")...)
		bad := together(subscriber, "bad")
		elapse(time.Hour)
		requireOpen(t, bad[0]) // the store may be away
		for i := range attempts {
			require.Empty(t, publisher.on(poisonTopic), "after %d others", i)
			requireAcked(t, together(subscriber, "good")...)
			elapse(10 * time.Second)
		}
		requireAcked(t, bad...)
		require.Equal(t, []string{"bad"}, poisonUUIDs(publisher))
	})
}

// TestEveryFailedMessageIsTried: a pass ends when its first messages fail, and they are the last of the next pass.
func TestEveryFailedMessageIsTried(t *testing.T) {
	t.Parallel()
	bad := []string{"bad 1", "bad 2", "bad 3", "bad 4", "bad 5"}
	for _, size := range []int{2, 500} {
		t.Run(fmt.Sprint("batches of ", size), func(t *testing.T) {
			t.Parallel()
			model, publisher := &faultyModel{fault: failsFor(errConstraint, bad...)}, &messageRecorder{}
			config := projector.Config{Projection: model, Publisher: publisher, MaxAttempts: 5, BatchSize: size}
			withBroker(t, config, nil, func(subscriber *handSubscriber) {
				sent := together(subscriber, append(slices.Clone(bad), "good 1", "good 2")...)
				elapse(10 * time.Second)
				requireAcked(t, sent[5:]...)
				others(t, subscriber, 60)
				requireAcked(t, sent...)
				require.ElementsMatch(t, bad, poisonUUIDs(publisher))
				for _, batch := range model.batches {
					require.LessOrEqual(t, len(batch), size)
				}
			})
		})
	}
}

// TestAnOutageOfTheStoreSetsNothingAside, however long it is. The projector reads no more than it may keep, and all is
// applied afterwards, in few batches.
func TestAnOutageOfTheStoreSetsNothingAside(t *testing.T) {
	t.Parallel()
	for name, first := range map[string][]string{"from the start": nil, "after a message": {"first"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model, publisher := &faultyModel{fault: failsFor(nil)}, &messageRecorder{}
			config := projector.Config{Projection: model, Publisher: publisher, MaxAttempts: 3, BatchSize: 10}
			withBroker(t, config, nil, func(subscriber *handSubscriber) {
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
				require.Less(t, model.attempts()-before, 3*2*600, "the store is left in peace")
				require.NotEmpty(t, subscriber.topics["in"], "it reads more and more")
				model.setDown(false)
				before = model.attempts()
				elapse(time.Minute)
				requireAcked(t, sent...)
				require.Empty(t, publisher.on(poisonTopic))
				require.LessOrEqual(t, model.attempts()-before, 10, "what failed comes together first")
				for _, uuid := range all {
					require.True(t, model.applied[uuid])
				}
			})
		})
	}
}

// TestFailuresOfAnOutageDoNotCount, at whichever moment the store comes back.
func TestFailuresOfAnOutageDoNotCount(t *testing.T) {
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
		withBroker(t, projector.Config{Projection: model, Publisher: publisher, MaxAttempts: 3}, nil, func(subscriber *handSubscriber) {
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

func TestMaxAttemptsOffSetsNothingAside(t *testing.T) {
	t.Parallel()
	model, publisher := &faultyModel{fault: failsFor(errConstraint, "bad")}, &messageRecorder{}
	config := projector.Config{Projection: model, Publisher: publisher, MaxAttempts: projector.Off}
	withBroker(t, config, nil, func(subscriber *handSubscriber) {
		sent := together(subscriber, "bad", "1")
		others(t, subscriber, 1000)
		requireAcked(t, sent[1])
		requireOpen(t, sent[0])
		require.Empty(t, publisher.on(poisonTopic))
	})
}

// TestAMessageWaitsForThePoisonTopic although it has failed often enough.
func TestAMessageWaitsForThePoisonTopic(t *testing.T) {
	t.Parallel()
	model, publisher := &faultyModel{fault: failsFor(errConstraint, "bad")}, &outage{}
	publisher.down.Store(true)
	toPoison := publisherFunc(func(topic string, messages ...*message.Message) error {
		if topic == poisonTopic {
			return publisher.Publish(topic, messages...)
		}
		return nil
	})
	config := projector.Config{Projection: model, Publisher: toPoison, MaxAttempts: 3}
	withBroker(t, config, nil, func(subscriber *handSubscriber) {
		bad := together(subscriber, "bad")
		others(t, subscriber, 100)
		requireOpen(t, bad[0])
		publisher.down.Store(false)
		elapse(2 * time.Second)
		requireAcked(t, bad...)
		require.Equal(t, []string{"bad"}, poisonUUIDs(&publisher.messageRecorder))
	})
}

// TestAStopGivesBackFailedMessages, also in the middle of a pass.
func TestAStopGivesBackFailedMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		model := &faultyModel{fault: failsFor(errConstraint, "bad")}
		subscriber := newHandSubscriber("in")
		stop, wait := runProjector(t, projector.Config{
			Subscriber: subscriber, Topics: []string{"in"}, Publisher: &recorder{}, Projection: model,
		})
		sent := together(subscriber, "1", "bad", "2")
		elapse(10 * time.Second)
		requireAcked(t, sent[0], sent[2])
		stop()
		require.NoError(t, wait())
		select {
		case <-sent[1].Nacked():
		default:
			require.Fail(t, "not given back")
		}
	})
}

// onlyGood applies the messages with the UUID "good", and no other.
func onlyGood() *faultyModel {
	return &faultyModel{fault: func(uuid string) error {
		if uuid != "good" {
			return errConstraint
		}
		return nil
	}}
}

// TestFailuresDoNotDelayEachOther: a failed message is tried again soon, however long others have failed or go on failing.
func TestFailuresDoNotDelayEachOther(t *testing.T) {
	t.Parallel()
	model := onlyGood()
	withBroker(t, projector.Config{Projection: model, Publisher: &recorder{}}, nil, func(subscriber *handSubscriber) {
		together(subscriber, "bad")
		elapse(time.Minute)
		subscriber.send("in", "worse")
		good := together(subscriber, "good")
		for i := range 20 {
			elapse(10 * time.Millisecond)
			together(subscriber, fmt.Sprint("bad ", i))
		}
		select {
		case <-good[0].Acked():
		default:
			require.Fail(t, "the good message waits")
		}
	})
}

// TestManyFailingMessagesHoldUpNoOther: a pass goes on after failures as long as something is applied.
func TestManyFailingMessagesHoldUpNoOther(t *testing.T) {
	t.Parallel()
	model := onlyGood()
	withBroker(t, projector.Config{Projection: model, Publisher: &recorder{}}, nil, func(subscriber *handSubscriber) {
		var good []*message.Message
		for i := range 50 {
			good = append(good, subscriber.send("in", "good", fmt.Sprint("bad ", i))[0])
		}
		elapse(time.Second)
		for _, msg := range good {
			select {
			case <-msg.Acked():
			default:
				require.Fail(t, "a good message waits")
			}
		}
	})
}
