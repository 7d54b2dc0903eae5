package projector_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

var errConstraint = errors.New("violates a constraint")

// faultyModel is a read model that some messages cannot be applied to.
type faultyModel struct {
	projector.NoSweep

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

// withBroker runs a projector in virtual time on a subscriber of topic "in".
func withBroker(t *testing.T, config projector.Config, logger watermill.LoggerAdapter, test func(subscriber *handSubscriber)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		subscriber := newHandSubscriber("in")
		config.Name, config.Subscriber, config.Topics = "tester", subscriber, []string{"in"}
		config.UpdatesTopic, config.PoisonTopic = updatesTopic, poisonTopic
		if config.Publisher == nil {
			config.Publisher = &recorder{}
		}
		if logger == nil {
			logger = watermill.NopLogger{}
		}
		proj, err := projector.New(config, logger)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- proj.Run(ctx) }()
		defer func() { // also after a failure, or the bubble never ends
			stop()
			require.NoError(t, <-done)
		}()
		synctest.Wait()
		test(subscriber)
	})
}

// elapse lets virtual time pass, and waits until all that is due is done.
func elapse(d time.Duration) {
	pass(d)
	synctest.Wait()
}

func poisonUUIDs(publisher *messageRecorder) []string { return uuidsOf(publisher.on(poisonTopic)) }

// together sends messages and waits until they are delivered.
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
