// Package deploy_test checks the files by which the microblog is deployed and watched: that Kubernetes takes the manifests and
// that they suit the server, and that the dashboard and the alerts name metrics that there are.
package deploy_test

import (
	"testing"
	"time"

	"github.com/feedmill/feedmill/integration/internal/servers"
)

const (
	microblog = "../../examples/microblog"
	manifests = microblog + "/deploy/kubernetes"
	watching  = microblog + "/deploy/monitoring"

	timeout = time.Minute
)

func TestMain(m *testing.M) { servers.Main(m) }
