package stack

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/nats-io/nats.go"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/natspubsub"
)

// killedAfter is how long the events that an instance was applying wait for another one after the instance was killed.
const killedAfter = 10 * time.Second

// openNATS connects to NATS and creates the stream that holds the microblog's events.
func (s *Stack) openNATS(ctx context.Context, c Config) error {
	conn, err := nats.Connect(c.NATSURL, append(natspubsub.ConnectOptions(), nats.Name("microblog"))...)
	if _, unreadable := errors.AsType[*url.Error](err); unreadable {
		return errors.New("read the NATS URL: it is not valid") // the error itself would show the password
	}
	if err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	s.opened("nats", strings.Join(conn.Servers(), ","), func(context.Context) error {
		if !conn.IsConnected() {
			return errors.New("not connected")
		}
		return nil
	}, func() error { conn.Close(); return nil })
	stream, err := natspubsub.NewStream(conn, natspubsub.StreamConfig{Name: "microblog", Replicas: c.NATSReplicas}, watermill.NewSlogLogger(s.logger))
	if err != nil {
		return err
	}
	if err := s.await(ctx, "create the stream in NATS", stream.Ensure); err != nil {
		return err
	}
	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{MeterProvider: s.Metrics.Provider})
	if err != nil {
		return err
	}
	worker, err := stream.NewDurableSubscriber(natspubsub.DurableConfig{Name: "tag-feeds", AckWait: killedAfter})
	if err != nil {
		return err
	}
	live := stream.NewLiveSubscriber()
	s.closes = append(s.closes, publisher.Close, worker.Close, live.Close)
	s.Broker = &feedmill.Broker{Publisher: publisher, Work: worker, Live: live, Poison: stream.Poison("poison")}
	return nil
}
