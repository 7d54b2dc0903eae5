package config_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/internal/config"
)

func TestDefaultSetsOnlyZeroFields(t *testing.T) {
	t.Parallel()
	unset, set := 0, 7
	config.Default(&unset, 3)
	config.Default(&set, 3)
	assert.Equal(t, 3, unset)
	assert.Equal(t, 7, set)
}

func TestProblemsAreJoined(t *testing.T) {
	t.Parallel()
	var p config.Problems
	require.NoError(t, p.Join())
	p.Require(true, "Publisher")
	p.Require(false, "Outbox")
	p.Add(nil)
	p.Add(errors.New("a part is wrong"))
	config.NotNegative(&p, "BatchSize", -1)
	config.Bounds(&p, "MinBackoff", 2*time.Second, "MaxBackoff", time.Second)
	config.Bounds(&p, "MinPoll", 2*time.Second, "MaxPoll", 0)
	assert.EqualError(t, p.Join(), "Outbox is missing\na part is wrong\nBatchSize is -1, it must not be negative\n"+
		"MaxBackoff 1s is less than MinBackoff 2s")
}
