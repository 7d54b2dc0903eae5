package crashtest

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	crashesVariable  = "FEEDMILL_CRASHES"
	seedVariable     = "FEEDMILL_CRASH_SEED"
	crashesByDefault = 100
)

// crashRounds plays rounds, each with its own seed, until FEEDMILL_CRASHES crashes. A round returns its number of crashes. With
// FEEDMILL_CRASH_SEED it plays only that round.
func crashRounds(t *testing.T, play func(t *testing.T, seed uint64) int) {
	t.Helper()
	if given := os.Getenv(seedVariable); given != "" {
		seed, err := strconv.ParseUint(given, 10, 64)
		require.NoError(t, err, seedVariable)
		t.Logf("%d crashes", playRound(t, seed, play))
		return
	}
	most := crashesByDefault
	if given := os.Getenv(crashesVariable); given != "" {
		var err error
		most, err = strconv.Atoi(given)
		require.NoError(t, err, crashesVariable)
	}
	seed, crashes, rounds := uint64(time.Now().UnixNano()), 0, 0
	for ; crashes < most; rounds++ {
		crashes += playRound(t, seed+uint64(rounds), play)
	}
	t.Logf("%d crashes in %d rounds", crashes, rounds)
}

// playRound plays a round, and after a failure logs how to play it again.
func playRound(t *testing.T, seed uint64, play func(t *testing.T, seed uint64) int) int {
	t.Helper()
	passed := false
	defer func() {
		if !passed || t.Failed() {
			t.Logf("this was seed %[1]d; again with: %[2]s=%[1]d go test -count=10 -run '^%[3]s$'", seed, seedVariable, t.Name())
		}
	}()
	crashes := play(t, seed)
	passed = true
	return crashes
}
