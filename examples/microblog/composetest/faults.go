package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"time"
)

// recoveryTimeout limits the time until everything works again after a server is back.
const recoveryTimeout = time.Minute

// latency measures the time from sending a post to seeing it on a stream of an idle stack.
func (t *test) latency(ctx context.Context) error {
	const posts, warmUp = 50, 5
	ctx, cancel := context.WithTimeout(ctx, recoveryTimeout)
	defer cancel()
	f := t.client.follow(ctx, "/api/feeds/latency")
	var following sync.WaitGroup
	following.Go(func() { f.run(ctx) })
	defer following.Wait()
	defer cancel()
	if err := f.await(ctx, `"latency"`); err != nil {
		return err
	}
	var took []time.Duration
	for range posts + warmUp {
		began := time.Now()
		p, err := t.create(ctx, []string{"latency"})
		if err != nil {
			return err
		}
		if err := f.await(ctx, p.ID); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	took = took[warmUp:]
	slices.Sort(took)
	t.logf("POST to SSE event: median %.1f ms, 90 %% within %.1f ms, of %d posts one after the other",
		ms(took[posts/2]), ms(took[posts*9/10]), posts)
	_, err := t.posts.takeInterval(true)
	return err
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// faults restarts and kills services while posts are written and followed, and verifies the outcome.
func (t *test) faults(ctx context.Context, rate, followers int) error {
	following, unfollow := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer unfollow()
	for n := range followers {
		f := t.client.follow(following, followed(n))
		t.streams = append(t.streams, f)
		running.Go(func() { f.run(following) })
	}
	if err := t.awaitEach(ctx, "", "{"); err != nil {
		return err
	}
	if err := t.faultsWhileWriting(ctx, rate); err != nil {
		return err
	}
	if err := t.verify(ctx); err != nil {
		return err
	}
	return t.verifyStreams(ctx)
}

// followed returns what the follower of a number follows.
func followed(n int) string {
	paths := []string{"/api/feeds", "/api/feeds/" + probeTag}
	if n %= len(paths) + tags; n >= len(paths) {
		return "/api/feeds/" + tag(n-len(paths))
	}
	return paths[n]
}

func (t *test) faultsWhileWriting(ctx context.Context, rate int) error {
	using, stop := context.WithCancel(ctx)
	var users sync.WaitGroup
	users.Go(func() { t.write(using, rate) })
	users.Go(func() { t.read(using, rate) })
	defer users.Wait()
	defer stop()
	switch {
	case t.scale:
		return t.onNATS(ctx)
	case t.postgres:
		return t.onPostgres(ctx)
	}
	return t.inTurn(ctx)
}

// inTurn restarts and kills each service of docker-compose.yml.
func (t *test) inTurn(ctx context.Context) error {
	services := []string{"mysql", "mongo", "nats", "server"}
	for _, service := range services {
		if err := t.fault(ctx, service, "restart", []string{"restart", service}); err != nil {
			return err
		}
	}
	for _, service := range services {
		if err := t.fault(ctx, service, "kill", []string{"kill", service}, []string{"start", service}); err != nil {
			return err
		}
	}
	return nil
}

// fault runs compose commands, waits until posts are accepted and shown on the streams again, and logs the times.
func (t *test) fault(ctx context.Context, service, what string, commands ...[]string) error {
	name := what + " of " + service
	const quietTime = time.Second
	pause(ctx, quietTime)
	if _, err := t.posts.takeInterval(true); err != nil {
		return fmt.Errorf("before the %s: %w", name, err)
	}
	before := t.connections()
	began := time.Now()
	for _, command := range commands {
		if _, err := t.run(ctx, command...); err != nil {
			return err
		}
	}
	back := time.Now()
	accepted, seen, err := t.recovery(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	failures, err := t.posts.takeInterval(t.scale || service != "server") // a proxy always answers
	t.logf("%-18s took %s; accepting again %s, streaming again %s later; %s; %d streams reconnected", name,
		back.Sub(began).Round(100*time.Millisecond), accepted.Sub(back).Round(100*time.Millisecond), seen.Sub(back).Round(100*time.Millisecond),
		failures, t.connections()-before)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// recovery waits until a post is accepted, and then until each stream of its feed shows it.
func (t *test) recovery(ctx context.Context) (accepted, seen time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, recoveryTimeout)
	defer cancel()
	p, err := t.create(ctx, []string{probeTag})
	for err != nil {
		if !pause(ctx, 100*time.Millisecond) {
			return accepted, seen, fmt.Errorf("no post accepted within %s: %w", recoveryTimeout, err)
		}
		p, err = t.create(ctx, []string{probeTag})
	}
	accepted = time.Now()
	if err = t.awaitEach(ctx, followed(1), p.ID); err != nil {
		err = fmt.Errorf("%w; %s", err, t.diagnose(context.WithoutCancel(ctx), p.ID))
	}
	return accepted, time.Now(), err
}

// diagnose returns how far a post has come that a stream does not show.
func (t *test) diagnose(ctx context.Context, id string) string {
	_, posts, err := t.client.feed(ctx, probeTag)
	switch {
	case err != nil:
		return "the feed cannot be read: " + err.Error()
	case slices.ContainsFunc(posts, func(p post) bool { return p.ID == id }):
		return "GET shows it: the stream hangs"
	default:
		return "GET does not show it either: the feed lacks it"
	}
}

func (t *test) connections() int {
	n := 0
	for _, f := range t.streams {
		n += f.source.Connections()
	}
	return n
}

// downAndUp removes the containers, creates them again, and verifies that nothing has changed.
func (t *test) downAndUp(ctx context.Context) error {
	if _, err := t.run(ctx, "down"); err != nil {
		return err
	}
	began := time.Now()
	if _, err := t.run(ctx, "up", "-d"); err != nil {
		return err
	}
	if err := t.awaitReady(ctx, startTimeout); err != nil {
		return err
	}
	t.logf("down and up: ready after %s", since(began))
	return t.verify(ctx)
}

// run runs a compose command and returns its output.
func (t *test) run(ctx context.Context, args ...string) ([]byte, error) {
	args = append(slices.Clone(t.compose), args...)
	output, err := exec.CommandContext(ctx, args[0], args[1:]...).Output() //nolint:gosec // the command is the caller's own
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("%v: %w: %s", args, err, failed.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("%v: %w", args, err)
	}
	return output, nil
}
