package mongostore_test

import (
	"testing"

	"github.com/feedmill/feedmill/integration/internal/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }
