package cqrsfeed_test

import (
	"errors"
)

var errDown = errors.New("down")
