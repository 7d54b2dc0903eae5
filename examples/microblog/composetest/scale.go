package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// onNATS restarts each microblog of docker-compose.scale.yml, kills one, and kills the node of NATS that leads the stream.
func (t *test) onNATS(ctx context.Context) error {
	leader, err := t.leader(ctx)
	if err != nil {
		return err
	}
	return t.rolling(ctx, "server2", leader)
}

// onPostgres restarts each microblog of docker-compose.postgres.yml, kills one, and restarts and kills PostgreSQL.
func (t *test) onPostgres(ctx context.Context) error {
	const postgres = "postgres"
	if err := t.rolling(ctx, "server2"); err != nil {
		return err
	}
	if err := t.fault(ctx, postgres, "restart", []string{"restart", postgres}); err != nil {
		return err
	}
	return t.fault(ctx, postgres, "kill", []string{"kill", postgres}, []string{"start", postgres})
}

// rolling restarts each microblog, and kills services. Posts must be accepted and shown while one of these is away.
func (t *test) rolling(ctx context.Context, killed ...string) error {
	for _, server := range []string{"server1", "server2", "server3"} {
		if err := t.fault(ctx, server, "restart", []string{"restart", server}); err != nil {
			return err
		}
		if err := t.awaitHealthy(ctx, server); err != nil {
			return err
		}
	}
	for _, service := range killed {
		if err := t.fault(ctx, service, "kill", []string{"kill", service}); err != nil {
			return err
		}
		if err := t.fault(ctx, service, "start", []string{"start", service}); err != nil {
			return err
		}
		if err := t.awaitHealthy(ctx, service); err != nil {
			return err
		}
	}
	return nil
}

// awaitHealthy waits until a server that was started is ready.
func (t *test) awaitHealthy(ctx context.Context, service string) error {
	ctx, cancel := context.WithTimeout(ctx, recoveryTimeout)
	defer cancel()
	check := []string{"exec", "-T", service, "/usr/local/bin/microblog", "healthcheck"}
	if strings.HasPrefix(service, "nats") {
		check = []string{"exec", "-T", service, "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8222/healthz"}
	}
	for {
		_, err := t.run(ctx, check...)
		if err == nil {
			return nil
		}
		if !pause(ctx, 200*time.Millisecond) {
			return fmt.Errorf("%s is not ready: %w", service, err)
		}
	}
}

// leader returns the node of NATS that leads the stream of events, which must be on three nodes.
func (t *test) leader(ctx context.Context) (string, error) {
	output, err := t.run(ctx, "exec", "-T", "nats1", "wget", "-q", "-O", "-", "http://127.0.0.1:8222/jsz?streams=true")
	if err != nil {
		return "", err
	}
	var state struct {
		Accounts []struct {
			Streams []struct {
				Name    string `json:"name"`
				Cluster struct {
					Leader   string `json:"leader"`
					Replicas []struct {
						Name string `json:"name"`
					} `json:"replicas"`
				} `json:"cluster"`
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	if err := json.Unmarshal(output, &state); err != nil {
		return "", fmt.Errorf("decode the state of NATS: %w: %s", err, output)
	}
	for _, account := range state.Accounts {
		for _, stream := range account.Streams {
			if stream.Name == "microblog" && len(stream.Cluster.Replicas) == 2 { // beside the node that was asked
				return stream.Cluster.Leader, nil
			}
		}
	}
	return "", fmt.Errorf("the stream of events is not on three nodes of NATS: %s", output)
}
