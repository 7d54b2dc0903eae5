package driver_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

type upcaster struct{}

func (upcaster) Upcast(body json.RawMessage) (json.RawMessage, error) { return body, nil }

type upcasterPointer struct{}

func (*upcasterPointer) Upcast(body json.RawMessage) (json.RawMessage, error) { return body, nil }

// almost has a method that is called like that of an Upcaster.
type almost struct{ Text string }

func (almost) Upcast(body []byte) ([]byte, error) { return body, nil }

type almostPointer struct{ Text string }

func (*almostPointer) Upcast(json.RawMessage) json.RawMessage { return nil }

func TestAnUpcastThatIsNeverCalledIsRefused(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"value": driver.CheckBody[almost](), "its pointer": driver.CheckBody[*almost](),
		"pointer": driver.CheckBody[almostPointer](), "pointer to it": driver.CheckBody[*almostPointer](),
	} {
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, name)
		require.ErrorContains(t, err, "is never called: it must be func(json.RawMessage) (json.RawMessage, error)")
	}
	require.ErrorContains(t, driver.CheckBody[almost](), "Upcast of driver_test.almost is a func(*driver_test.almost, []uint8) ([]uint8, error)")
	for _, err := range []error{
		driver.CheckBody[upcaster](), driver.CheckBody[*upcaster](), driver.CheckBody[upcasterPointer](),
		driver.CheckBody[*upcasterPointer](), driver.CheckBody[any](), driver.CheckBody[string](), driver.CheckBody[json.RawMessage](),
	} {
		require.NoError(t, err)
	}
}
