package app_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/examples/microblog/demo"
)

// demonstrated returns a running microblog whose demonstrations are short.
func demonstrated(t *testing.T, overGoChannel bool) *site {
	t.Helper()
	parts := embedded(t)
	parts.Demo = &demo.Times{Load: time.Second, Fault: time.Second}
	if overGoChannel {
		channel := gochannel.NewGoChannel(gochannel.Config{Persistent: true, OutputChannelBuffer: 16}, watermill.NopLogger{})
		t.Cleanup(func() { require.NoError(t, channel.Close()) })
		parts.Broker = &feedmill.Broker{Publisher: channel, Work: channel, Live: channel}
	}
	s := run(t, newApp(t, parts))
	t.Cleanup(func() {
		s.stop()
		require.NoError(t, s.ended(t))
	})
	return s
}

// demonstrate runs a demonstration to its end.
func (s *site) demonstrate(t *testing.T, order string) demo.Report {
	t.Helper()
	require.Equal(t, http.StatusNoContent, s.order(t, order).status)
	var report demo.Report
	require.Eventually(t, func() bool {
		report = s.report(t)
		return report.Phase == demo.PhaseDone
	}, patience, 20*time.Millisecond)
	return report
}

func (s *site) order(t *testing.T, order string, header ...string) answer {
	t.Helper()
	a, err := s.send(t.Context(), http.MethodPost, "/api/demo", order, append(header, "Content-Type", "application/json"))
	require.NoError(t, err)
	return a
}

func (s *site) report(t *testing.T) demo.Report {
	t.Helper()
	var streams struct {
		Streams struct {
			Live struct {
				Demo demo.Report `json:"demo"`
			} `json:"live"`
		} `json:"streams"`
	}
	answered := s.get(t, "/api/live?stream=live")
	require.NoError(t, json.Unmarshal([]byte(answered.body), &streams), answered.body)
	return streams.Streams.Live.Demo
}

// TestFaultsLoseNothing runs every fault, without a broker and with one. What each does is in the tests of package demo.
func TestFaultsLoseNothing(t *testing.T) {
	t.Parallel()
	for name, overGoChannel := range map[string]bool{"in process": false, "over a Go channel": true} {
		for _, fault := range demo.Faults() {
			t.Run(name+"/"+fault, func(t *testing.T) {
				t.Parallel()
				s := demonstrated(t, overGoChannel)
				report := s.demonstrate(t, `{"fault":"`+fault+`","windows":2}`)
				t.Logf("%+v", report)
				require.Empty(t, report.Error)
				require.Greater(t, report.Accepted, int64(20))
				require.Positive(t, report.Edits)
				require.Zero(t, report.Failed)
				require.Equal(t, report.Accepted, report.InFeed)
				require.Equal(t, report.Accepted, report.Audit.Items)
				require.Zero(t, report.Audit.Drifts)
				require.Zero(t, report.Audit.Unsettled)
				require.Positive(t, report.Struck, "it struck")
				require.Positive(t, report.Measured)
				require.Nil(t, report.FaultUntil)
			})
		}
	}
}

// TestLoadEndsByItself, and counts what it cost.
func TestLoadEndsByItself(t *testing.T) {
	t.Parallel()
	s := demonstrated(t, false)
	report := s.demonstrate(t, `{"rate":20,"windows":5}`)
	require.Empty(t, report.Error)
	require.InDelta(t, 20, report.Accepted, 10)
	require.Zero(t, report.Edits)
	require.Equal(t, report.Accepted, report.InFeed)
	require.Zero(t, report.Audit.Drifts)
	require.Positive(t, report.P50)
	require.GreaterOrEqual(t, report.P99, report.P50)
	require.GreaterOrEqual(t, report.Frames, 2*report.Loads, "a load serves several windows: %+v", report)
	require.Positive(t, report.Bytes)

	second := s.demonstrate(t, `{"rate":5}`)
	require.Equal(t, report.Accepted, second.Before, "it counts its own posts")
	require.Equal(t, second.Accepted, second.InFeed)
}

func TestDemonstrationsAreRefused(t *testing.T) {
	t.Parallel()
	s := demonstrated(t, false)
	for order, status := range map[string]int{
		`{"rate":0}`:                http.StatusUnprocessableEntity,
		`{"rate":101}`:              http.StatusUnprocessableEntity,
		`{"rate":1,"windows":201}`:  http.StatusUnprocessableEntity,
		`{"rate":1,"windows":-1}`:   http.StatusUnprocessableEntity,
		`{"fault":"fire"}`:          http.StatusUnprocessableEntity,
		`{"fault":"broker","x": 1}`: http.StatusBadRequest,
	} {
		require.Equal(t, status, s.order(t, order).status, order)
	}
	for name, value := range map[string]string{"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1", "Sec-Fetch-Site": "cross-site"} {
		require.Equal(t, http.StatusForbidden, s.order(t, `{"rate":1}`, name, value).status, name)
	}
	require.Empty(t, s.report(t).Name, "nothing was started")

	require.Equal(t, http.StatusNoContent, s.order(t, `{"rate":1}`).status)
	require.Equal(t, http.StatusConflict, s.order(t, `{"rate":1}`).status, "one at a time")
	stopped, err := s.send(t.Context(), http.MethodDelete, "/api/demo", "", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, stopped.status)
	require.Eventually(t, func() bool { return s.report(t).Phase == demo.PhaseDone }, patience, 20*time.Millisecond)
	require.NotNil(t, s.report(t).Audit, "what was accepted is audited")
}

// TestNoDemonstrationUnlessAskedFor: without -demo there is nothing to reach.
func TestNoDemonstrationUnlessAskedFor(t *testing.T) {
	t.Parallel()
	s := run(t, newApp(t, embedded(t)))
	require.Equal(t, http.StatusNotFound, s.order(t, `{"rate":1}`).status)
	require.NotContains(t, s.get(t, "/api/live?stream=live").body, `"demo"`)
	s.stop()
	require.NoError(t, s.ended(t))
}

// TestStopDuringADemonstration: it ends with the microblog, and so do its windows.
func TestStopDuringADemonstration(t *testing.T) {
	t.Parallel()
	parts := embedded(t)
	parts.Demo = &demo.Times{Load: time.Hour, Fault: time.Hour}
	s := run(t, newApp(t, parts))
	require.Equal(t, http.StatusNoContent, s.order(t, `{"rate":20,"windows":3}`).status)
	require.Eventually(t, func() bool { return s.report(t).Measured > 0 }, patience, 20*time.Millisecond)
	s.stop()
	require.NoError(t, s.ended(t))
}
